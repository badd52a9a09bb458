#include "server/commands_export.h"

#include <string>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "server/durability.h"
#include "server/export_service.h"
#include "server/history_text.h"
#include "server/node.h"

namespace tidemark::server {
namespace {

const char* NameOf(wal::ConsumerStatus::State state) {
  switch (state) {
    case wal::ConsumerStatus::State::kAway:
      return "away";
    case wal::ConsumerStatus::State::kSnapshot:
      return "snapshot";
    case wal::ConsumerStatus::State::kStreaming:
      return "streaming";
    case wal::ConsumerStatus::State::kClosing:
      return "closing";
  }
  return "unknown";
}

void List(const wal::ExportStatus& status, cache::ReplyBuilder& reply) {
  reply.ArrayHeader(status.consumers.size());
  for (const wal::ConsumerStatus& consumer : status.consumers) {
    reply.MapHeader(8);
    reply.Bulk("name");
    reply.Bulk(consumer.name);
    reply.Bulk("state");
    reply.Bulk(NameOf(consumer.state));
    reply.Bulk("addr");
    reply.Bulk(consumer.peer);
    reply.Bulk("history");
    reply.Bulk(HistoryHex(consumer.acked.history));
    reply.Bulk("acked");
    reply.ArrayHeader(consumer.acked.sequences.size());
    for (const Sequence s : consumer.acked.sequences) {
      reply.Integer(static_cast<int64_t>(s.value()));
    }
    reply.Bulk("lag_records");
    reply.Integer(static_cast<int64_t>(consumer.lag_records));
    reply.Bulk("lost");
    reply.Integer(consumer.lost ? 1 : 0);
    reply.Bulk("seen_ms");
    reply.Integer(consumer.seen_ms);
  }
}

}  // namespace

void TideExport(Client& client, cache::Args args) {
  NodeDurability* const durability = client.node().durability();
  ExportService* const exports = durability == nullptr ? nullptr : durability->exports();
  if (exports == nullptr && client.node().is_replica()) {
    return client.reply().Error("ERR This node is a replica: its primary exports changes");
  }
  if (exports == nullptr) {
    return client.reply().Error("ERR This node exports nothing: start it with --export_mode");
  }
  if (EqualsIgnoreCase(args[2], "LIST") && args.size() == 3) {
    return List(exports->status(), client.reply());
  }
  if (!EqualsIgnoreCase(args[2], "FORGET") || args.size() != 4) {
    return client.reply().Error(cache::kSyntaxError);
  }
  exports->Forget(std::string(args[3]), [&node = client.node(), home = client.shard().id(),
                                         complete = client.Defer()](const absl::Status& forgotten) {
    node.engine().Post(home, [complete, forgotten](cache::Shard&) {
      complete([&](cache::ReplyBuilder& reply) {
        if (forgotten.ok()) return reply.Ok();
        reply.Error("ERR " + std::string(forgotten.message()));
      });
    });
  });
}

}  // namespace tidemark::server
