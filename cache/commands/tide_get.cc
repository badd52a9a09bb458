// TIDE GET: a value, and what its expiry makes of it.

#include <algorithm>

#include "base/text.h"
#include "cache/commands/access.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "cache/commands/tide_rows.h"

namespace tidemark::cache {
namespace {

// For whoever is to fetch a value and says nothing about how long that takes. Too short asks
// several; too long leaves the value stale if the one that was asked is lost.
constexpr int64_t kLeaseMs = 5'000;
constexpr int64_t kMaxLeaseMs = 60'000;

// Reads LEASE milliseconds from args[3] on. If it is wrong answers the error and returns nothing.
std::optional<int64_t> ParseLease(Args args, ReplyBuilder& reply) {
  if (args.size() == 3) return kLeaseMs;
  if (args.size() != 5 || !EqualsIgnoreCase(args[3], "lease")) {
    reply.Error(kSyntaxError);
    return std::nullopt;
  }
  const std::optional<int64_t> lease_ms = ParseInteger(args[4], reply);
  if (!lease_ms || (*lease_ms >= 1 && *lease_ms <= kMaxLeaseMs)) return lease_ms;
  reply.Error("ERR LEASE must be between 1 and 60000 milliseconds");
  return std::nullopt;
}

}  // namespace

void TideGetCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<int64_t> lease_ms = ParseLease(args, reply);
  if (!lease_ms) return;
  const KeyRef key = context.Key(args, 2);
  const Entry* entry;
  if (!FindValue(context, key, &entry, reply) || !CheckString(entry, reply)) return;
  if (entry == nullptr) return reply.Null();

  const int64_t now_ms = context.keyspace.now_ms();
  const Expiry expiry = entry->expiry();
  const bool stale = entry->StaleAt(now_ms);
  int64_t ends_at_ms = expiry.at_ms;
  if (!stale && expiry.extras.hard_at_ms != 0) {
    ends_at_ms = std::min(ends_at_ms, expiry.extras.hard_at_ms);
  }
  reply.MapHeader(4);
  reply.Bulk("value");
  AnswerValue(context, entry, reply);
  reply.Bulk("state");
  reply.Bulk(stale ? "stale" : "fresh");
  reply.Bulk("remaining_ms");
  reply.Integer(entry->has_expiry() ? ends_at_ms - now_ms : -1);
  reply.Bulk("revalidate");
  reply.Boolean(stale && context.keyspace.AskToRevalidate(key, *lease_ms));
}

}  // namespace tidemark::cache
