#include "server/commands_backup.h"

#include <cstdint>
#include <optional>
#include <string>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "server/durability.h"
#include "server/history_text.h"
#include "server/node.h"

namespace tidemark::server {
namespace {

constexpr int64_t kDefaultSeconds = 600;
constexpr int64_t kMaxSeconds = 86400;

// Everything at or below `durable` is in the files now, and stays until END or the time is up.
void Begin(Client& client, NodeDurability& durability, int64_t seconds) {
  // Before anything else: a full sync that begins later keeps what is here until it is whole.
  const auto at = durability.Durable();
  if (!at.ok()) return client.reply().Error("TRYAGAIN " + std::string(at.status().message()));
  const absl::StatusOr<uint64_t> id = durability.BeginBackup(seconds * 1000);
  if (!id.ok()) {
    const char* const code = absl::IsUnavailable(id.status()) ? "TRYAGAIN " : "ERR ";
    return client.reply().Error(code + std::string(id.status().message()));
  }
  cache::ReplyBuilder& reply = client.reply();
  reply.MapHeader(4);
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(*id));
  reply.Bulk("seconds");
  reply.Integer(seconds);
  reply.Bulk("history");
  reply.Bulk(HistoryHex(at->history));
  reply.Bulk("durable");
  reply.ArrayHeader(at->durable.size());
  for (const Sequence s : at->durable) reply.Integer(static_cast<int64_t>(s.value()));
}

}  // namespace

void TideBackup(Client& client, cache::Args args) {
  NodeDurability* const durability = client.node().durability();
  if (durability == nullptr) {
    return client.reply().Error("ERR This node keeps nothing on disk: start it with --data_dir");
  }
  const bool begin = EqualsIgnoreCase(args[2], "BEGIN");
  if (!begin && !EqualsIgnoreCase(args[2], "END")) return client.reply().Error(cache::kSyntaxError);
  if (args.size() > 4 || (!begin && args.size() != 4))
    return client.reply().Error(cache::kSyntaxError);
  std::optional<int64_t> number = kDefaultSeconds;
  if (args.size() == 4) number = cache::ParseInteger(args[3]);
  if (!number.has_value()) return client.reply().Error(cache::kNotAnInteger);
  if (begin) {
    if (*number < 1 || *number > kMaxSeconds) {
      return client.reply().Error("ERR seconds must be between 1 and 86400");
    }
    return Begin(client, *durability, *number);
  }
  if (!durability->EndBackup(static_cast<uint64_t>(*number))) {
    return client.reply().Error("ERR no such backup is under way; it may have taken too long");
  }
  client.reply().Ok();
}

}  // namespace tidemark::server
