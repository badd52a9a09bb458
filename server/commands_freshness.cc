#include "server/commands_freshness.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "server/node.h"
#include "server/shard_node.h"

namespace tidemark::server {
namespace {

using replication::ServedPosition;

constexpr int64_t kMaxWaitMs = std::numeric_limits<int32_t>::max();

// Null if it has been answered that the text is none.
std::optional<StreamToken> TokenFrom(std::string_view text, cache::ReplyBuilder& reply) {
  absl::StatusOr<StreamToken> token = DecodeToken(text);
  if (token.ok()) return *std::move(token);
  reply.Error("BADTOKEN " + std::string(token.status().message()));
  return std::nullopt;
}

// A number of 0 or more; null if it has been answered that it is none.
std::optional<int64_t> NumberFrom(std::string_view text, std::string_view what,
                                  cache::ReplyBuilder& reply) {
  const std::optional<int64_t> number = cache::ParseInteger(text);
  if (number && *number >= 0 && *number <= kMaxWaitMs) return number;
  reply.Error(fmt::format("ERR {} is not an integer or out of range", what));
  return std::nullopt;
}

}  // namespace

void TideToken(Client& client, cache::Args args) {
  const bool all = args.size() == 3;
  if (args.size() > 3 || (all && !EqualsIgnoreCase(args[2], "ALL"))) {
    return client.reply().Error(cache::kSyntaxError);
  }
  if (!client.node().is_replica() && !all) {
    return client.reply().Bulk(client.WriteToken());
  }
  // Nothing that came before is under way (Client::HeldBack), so a reader has seen no more.
  client.shard().WithPosition([complete = client.Defer()](const ServedPosition& position) {
    complete([&](cache::ReplyBuilder& reply) {
      reply.Bulk(EncodeToken({.history = position.shown_history, .sequences = position.shown}));
    });
  });
}

void TideWait(Client& client, cache::Args args) {
  std::optional<StreamToken> token = TokenFrom(args[2], client.reply());
  if (!token) return;
  const std::optional<int64_t> wait_ms = NumberFrom(args[3], "the time", client.reply());
  if (!wait_ms) return;
  StreamToken wanted = *token;
  client.shard().AwaitToken({.client = client.id(),
                             .token = *std::move(token),
                             .deadline_ms = client.shard().monotonic_ms() + *wait_ms,
                             .done = [complete = client.Block(), wanted = std::move(wanted)](
                                         Coverage coverage, const ServedPosition& position) {
                               complete([&](cache::ReplyBuilder& reply) {
                                 if (coverage == Coverage::kCovered) return reply.Ok();
                                 reply.Error(NotCoveredError(wanted, position));
                               });
                             }});
}

void TideTrack(Client& client, cache::Args args) {
  if (args.size() == 4 && EqualsIgnoreCase(args[2], "TOKEN")) {
    std::optional<StreamToken> token = TokenFrom(args[3], client.reply());
    if (!token) return;
    client.demands().SetToken(*std::move(token));
  } else if (args.size() == 3 && EqualsIgnoreCase(args[2], "ON")) {
    client.demands().tracks_writes = true;
  } else if (args.size() == 3 && EqualsIgnoreCase(args[2], "OFF")) {
    client.demands().tracks_writes = false;
    client.demands().token.reset();
  } else {
    return client.reply().Error(cache::kSyntaxError);
  }
  client.reply().Ok();
}

void TideStaleness(Client& client, cache::Args args) {
  if (args.size() > 4) return client.reply().Error(cache::kSyntaxError);
  const std::optional<int64_t> ms = NumberFrom(args[2], "the time", client.reply());
  if (!ms) return;
  std::optional<int64_t> records = 0;
  if (args.size() == 4) records = NumberFrom(args[3], "the number of records", client.reply());
  if (!records) return;
  client.demands().bounds = {.max_ms = *ms, .max_records = static_cast<uint64_t>(*records)};
  client.reply().Ok();
}

}  // namespace tidemark::server
