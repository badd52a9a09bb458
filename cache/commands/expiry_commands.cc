// Commands that set, remove and tell the moment at which a key expires.

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "cache/commands/access.h"
#include "cache/commands/errors.h"
#include "cache/commands/handlers.h"
#include "cache/commands/lifetime_options.h"
#include "cache/commands/numbers.h"
#include "cache/commands/tide_rows.h"

namespace tidemark::cache {
namespace {

constexpr int64_t kMsPerSecond = 1000;

// Options of EXPIRE and its siblings. A key without expiry counts as one that never expires.
struct ExpireConditions {
  bool only_without_expiry = false;  // NX
  bool only_with_expiry = false;     // XX
  bool only_later = false;           // GT
  bool only_earlier = false;         // LT

  bool Allow(const Entry& entry, int64_t expire_at) const {
    const int64_t present =
        entry.has_expiry() ? entry.expire_at_ms() : std::numeric_limits<int64_t>::max();
    if (only_without_expiry && entry.has_expiry()) return false;
    if (only_with_expiry && !entry.has_expiry()) return false;
    if (only_later && (expire_at <= present || !entry.has_expiry())) return false;
    if (only_earlier && expire_at >= present && entry.has_expiry()) return false;
    return true;
  }
};

// Reads the conditions from args[first] on. If they are wrong answers the error and returns
// nothing.
std::optional<ExpireConditions> ParseConditions(Args args, size_t first, ReplyBuilder& reply) {
  ExpireConditions conditions;
  for (size_t i = first; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "nx")) {
      conditions.only_without_expiry = true;
    } else if (EqualsIgnoreCase(args[i], "xx")) {
      conditions.only_with_expiry = true;
    } else if (EqualsIgnoreCase(args[i], "gt")) {
      conditions.only_later = true;
    } else if (EqualsIgnoreCase(args[i], "lt")) {
      conditions.only_earlier = true;
    } else {
      reply.Error(fmt::format("ERR Unsupported option {}", args[i]));
      return std::nullopt;
    }
  }
  if (conditions.only_without_expiry &&
      (conditions.only_with_expiry || conditions.only_later || conditions.only_earlier)) {
    reply.Error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return std::nullopt;
  }
  if (conditions.only_later && conditions.only_earlier) {
    reply.Error("ERR GT and LT options at the same time are not compatible");
    return std::nullopt;
  }
  return conditions;
}

void ExpireIf(CommandContext& context, KeyRef key, const ExpireConditions& conditions,
              const Expiry& expiry, ReplyBuilder& reply) {
  const Entry* entry = context.keyspace.Peek(key);
  if (entry == nullptr || !conditions.Allow(*entry, expiry.at_ms)) return reply.Integer(0);
  if (expiry.at_ms <= context.keyspace.now_ms()) {
    context.keyspace.Delete(key);
  } else {
    context.keyspace.SetExpiry(key, expiry);
  }
  reply.Integer(1);
}

// Unlike SET's, these times may be zero or negative: the key then goes at once.
void SetExpiry(CommandContext& context, Args args, int64_t base, int64_t scale,
               ReplyBuilder& reply) {
  const std::optional<ExpireConditions> conditions = ParseConditions(args, 3, reply);
  if (!conditions) return;
  const std::optional<int64_t> given = ParseInteger(args[2], reply);
  if (!given) return;
  int64_t expire_at = 0;
  if (__builtin_mul_overflow(*given, scale, &expire_at) ||
      __builtin_add_overflow(expire_at, base, &expire_at)) {
    return InvalidExpireTime(context.spec, reply);
  }
  ExpireIf(context, context.Key(args, 1), *conditions, expire_at, reply);
}

// Answers the key's expiry less `base`, in units of `scale` ms, rounded; -1 if it never expires, -2
// if there is no key.
void AnswerExpiry(CommandContext& context, Args args, int64_t base, uint64_t scale,
                  ReplyBuilder& reply) {
  const Entry* entry = context.keyspace.Peek(context.Key(args, 1));
  if (entry == nullptr) return reply.Integer(-2);
  if (!entry->has_expiry()) return reply.Integer(-1);
  const uint64_t ms = static_cast<uint64_t>(std::max<int64_t>(entry->expire_at_ms() - base, 0));
  reply.Integer(static_cast<int64_t>((ms + scale / 2) / scale));
}

}  // namespace

void ExpireCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  SetExpiry(context, args, context.keyspace.now_ms(), kMsPerSecond, reply);
}

void PexpireCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  SetExpiry(context, args, context.keyspace.now_ms(), 1, reply);
}

// TIDE EXPIRE key option... [condition...]: of the options, EX, PX, IDLE or PIDLE at least.
void TideExpireCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  LifetimeOptions options;
  size_t i = 3;
  OptionTaken taken = OptionTaken::kYes;
  while (i < args.size()) {
    taken = TakeExpiryOption(args, i, options);
    if (taken == OptionTaken::kNo) taken = TakeExtraOption(args, i, options);
    if (taken != OptionTaken::kYes) break;
    ++i;
  }
  const bool relative = options.unit == ExpiryUnit::kEx || options.unit == ExpiryUnit::kPx;
  const bool idle = options.unit == ExpiryUnit::kNone && options.idle.unit_ms != 0;
  if (taken == OptionTaken::kWrong || !(relative || idle) || !options.Agree()) {
    return reply.Error(kSyntaxError);
  }
  const std::optional<ExpireConditions> conditions = ParseConditions(args, i, reply);
  if (!conditions) return;
  const KeyRef key = context.Key(args, 2);
  const std::optional<Expiry> expiry = ToExpiry(context, options, key.hash, reply);
  if (expiry) ExpireIf(context, key, *conditions, *expiry, reply);
}

void ExpireatCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  SetExpiry(context, args, 0, kMsPerSecond, reply);
}

void PexpireatCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  SetExpiry(context, args, 0, 1, reply);
}

void ExpiretimeCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  AnswerExpiry(context, args, 0, kMsPerSecond, reply);
}

void PexpiretimeCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  AnswerExpiry(context, args, 0, 1, reply);
}

void TtlCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  AnswerExpiry(context, args, context.keyspace.now_ms(), kMsPerSecond, reply);
}

void PttlCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  AnswerExpiry(context, args, context.keyspace.now_ms(), 1, reply);
}

void PersistCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const KeyRef key = context.Key(args, 1);
  const Entry* entry = context.keyspace.Peek(key);
  if (entry == nullptr || !entry->has_expiry()) return reply.Integer(0);
  context.keyspace.SetExpiry(key, kNoExpiry);
  reply.Integer(1);
}

}  // namespace tidemark::cache
