// ROLE, WAIT and TIDE: how fresh each copy of the data is, and whether they are the same.

#include <fmt/format.h>

#include <array>

#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/commands_backup.h"
#include "server/commands_roles.h"
#include "server/help.h"
#include "server/history_text.h"
#include "server/metrics_page.h"
#include "server/node.h"
#include "server/server_command.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void AnswerVector(const Watermarks& watermarks, ReplyBuilder& reply) {
  reply.ArrayHeader(watermarks.size());
  for (Sequence s : watermarks) reply.Integer(static_cast<int64_t>(s.value()));
}

void Role(Client& client, Args) {
  ReplyBuilder& reply = client.reply();
  const ReplicationView view = client.node().replication().View();
  if (client.node().is_replica()) {
    reply.ArrayHeader(5);
    reply.Bulk("slave");
    reply.Bulk(view.primary_host);
    reply.Integer(view.primary_port);
    reply.Bulk(view.link_state);
    reply.Integer(static_cast<int64_t>(ReplicationOffset(view.applied)));
    return;
  }
  reply.ArrayHeader(3);
  reply.Bulk("master");
  reply.Integer(static_cast<int64_t>(ReplicationOffset(view.emitted)));
  reply.ArrayHeader(view.replicas.size());
  for (const ReplicaReport& replica : view.replicas) {
    const HostAndPort address = SplitAddress(replica.address);
    reply.ArrayHeader(3);
    reply.Bulk(address.host);
    reply.Bulk(address.port);
    reply.Bulk(std::to_string(ReplicationOffset(replica.acked)));
  }
}

void Wait(Client& client, Args args) {
  const std::optional<int64_t> replicas = ParseInteger(args[1]);
  if (!replicas) return client.reply().Error(kNotAnInteger);
  const std::optional<int64_t> timeout_ms = ParseInteger(args[2]);
  if (!timeout_ms) return client.reply().Error("ERR timeout is not an integer or out of range");
  if (*timeout_ms < 0) return client.reply().Error("ERR timeout is negative");
  if (client.node().is_replica()) {
    return client.reply().Error(
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if "
        "a replica is configured to be writable (which is not the default) writes to replicas are "
        "just local and are not propagated.");
  }
  // Replies come on the link thread; the client's own thread gives them.
  client.node().replication().WaitFor(
      client.session().written(), *replicas, *timeout_ms,
      [&node = client.node(), home = client.shard().id(),
       complete = client.Block()](int64_t count) {
        node.engine().Post(home, [complete, count](Shard&) {
          complete([count](ReplyBuilder& reply) { reply.Integer(count); });
        });
      });
}

void TideWatermarks(Client& client, Args) {
  ReplyBuilder& reply = client.reply();
  const ReplicationView view = client.node().replication().View();
  const bool replica = client.node().is_replica();

  NodeDurability* durability = client.node().durability();
  const DurabilityView log = durability != nullptr ? durability->View() : DurabilityView();
  reply.MapHeader((replica ? 5 : 7) + (log.enabled ? 2 : 0));
  reply.Bulk("role");
  reply.Bulk(replica ? "replica" : "primary");
  reply.Bulk("history");
  reply.Bulk(view.history_hex);
  reply.Bulk("shards");
  reply.Integer(static_cast<int64_t>(replica ? view.applied.size() : view.emitted.size()));
  if (replica) {
    reply.Bulk("received");
    AnswerVector(view.received, reply);
    reply.Bulk("applied");
    AnswerVector(view.applied, reply);
    return;
  }
  reply.Bulk("assigned");
  AnswerVector(view.assigned, reply);
  reply.Bulk("emitted");
  AnswerVector(view.emitted, reply);
  if (log.enabled) {
    reply.Bulk("durable");
    AnswerVector(log.durable, reply);
    reply.Bulk("exported");  // What every connected consumer was sent; empty: there is none.
    AnswerVector(log.exported, reply);
  }
  reply.Bulk("acked");  // What every replica has: the lowest of each shard.
  AnswerVector(view.acked, reply);
  reply.Bulk("replicas");
  reply.ArrayHeader(view.replicas.size());
  for (const ReplicaReport& each : view.replicas) {
    reply.MapHeader(7);
    reply.Bulk("id");
    reply.Integer(static_cast<int64_t>(each.id));
    reply.Bulk("addr");
    reply.Bulk(each.address);
    reply.Bulk("state");
    reply.Bulk(each.state);
    reply.Bulk("acked");
    AnswerVector(each.acked, reply);
    reply.Bulk("lag_records");
    reply.Integer(static_cast<int64_t>(each.lag_records));
    reply.Bulk("lag_ms");
    reply.Integer(each.lag_ms);
    reply.Bulk("queue_bytes");
    reply.Integer(static_cast<int64_t>(each.queue_bytes));
  }
}

void AnswerDigest(const DigestResult& digest, ReplyBuilder& reply) {
  reply.MapHeader(5);
  reply.Bulk("history");
  reply.Bulk(HistoryHex(digest.history));
  reply.Bulk("watermarks");
  AnswerVector(digest.watermarks, reply);
  reply.Bulk("keys");
  reply.Integer(static_cast<int64_t>(digest.total.keys));
  reply.Bulk("digest");
  reply.Bulk(digest.total.Hex());
  reply.Bulk("shard_digests");
  reply.ArrayHeader(digest.shards.size());
  for (const ContentDigest& shard : digest.shards) reply.Bulk(shard.Hex());
}

void TideDigest(Client& client, Args) {
  client.node().digests().Request([&node = client.node(), home = client.shard().id(),
                                   complete = client.Defer()](const DigestResult& digest) {
    node.engine().Post(home, [complete, digest](Shard&) {
      complete([&](ReplyBuilder& reply) { AnswerDigest(digest, reply); });
    });
  });
}

void TideMetrics(Client& client, Args) {
  client.node().AnswerReport(client, [](const NodeReport& report, ReplyBuilder& reply) {
    reply.Verbatim("txt", MetricsText(report));
  });
}

constexpr std::string_view kHelp[] = {
    "BACKUP <BEGIN [seconds] | END id>",
    "    Keeps the data directory's files while they are copied, for tidectl backup.",
    "DIGEST",
    "    A digest of the contents at a watermark: equal on nodes that hold the same.",
    "HISTORY",
    "    Where the node's history comes from, and what its promotion lost.",
    "METRICS",
    "    Every counter, in Prometheus' text format.",
    "PEER",
    "    The node's id, role and replication port, for other nodes.",
    "WATERMARKS",
    "    The vectors of this node and, on a primary, of its replicas.",
};
void TideHelp(Client& client, Args) { AnswerHelp("TIDE", kHelp, client.reply()); }

constexpr uint32_t kOpen = kNoScript | kLoading | kStale;

constexpr RowFamily kTideFamily = {"@slow", "server", kOpen};
constexpr RowFamily kPeerFamily = {"@slow", "server", kOpen | kNoAuth};
constexpr RowFamily kRoleFamily = {"@admin @fast @dangerous", "server", kOpen | kFast};
constexpr RowFamily kWaitFamily = {"@slow @connection", "generic", kNoScript};
constexpr RowFamily kContainerFamily = {"@slow", "server"};

constexpr RowFamily kBackupFamily = {"@admin @slow @dangerous", "server", kAdmin | kNoScript};

constexpr std::array kTideSubcommands = {
    Row(kBackupFamily, "tide|backup", -3, TideBackup, "0.1.0",
        "Keeps the data directory's files while they are copied."),
    Row(kTideFamily, "tide|digest", 2, TideDigest, "0.1.0",
        "A digest of the contents at a watermark.",
        "O(N) in the number of keys, in slices between other commands"),
    Row(kTideFamily, "tide|help", 2, TideHelp, "0.1.0", "The subcommands in brief."),
    Row(kTideFamily, "tide|history", 2, TideHistory, "0.1.0",
        "Where the node's history comes from, and what its promotion lost."),
    Row(kTideFamily, "tide|metrics", 2, TideMetrics, "0.1.0",
        "Every counter, in Prometheus' text format."),
    Row(kPeerFamily, "tide|peer", 2, TidePeer, "0.1.0",
        "The node's id, role and replication port, for other nodes."),
    Row(kTideFamily, "tide|watermarks", 2, TideWatermarks, "0.1.0",
        "The watermark vectors of the node and its replicas."),
};

constexpr std::array kRows = {
    Row(kRoleFamily, "role", 1, Role, "2.8.12",
        "Whether the node is a primary or a replica, and of what."),
    WithTips(Row(kWaitFamily, "wait", 3, Wait, "3.0.0",
                 "Waits until replicas have what this connection wrote.", "O(1)", arguments::kWait),
             "request_policy:all_shards response_policy:agg_min"),
    Container(kContainerFamily, "tide", "0.1.0", "Container of the commands about watermarks.",
              kTideSubcommands),
};

}  // namespace

std::span<const ServerCommand> ReplicationCommands() { return kRows; }

}  // namespace tidemark::server
