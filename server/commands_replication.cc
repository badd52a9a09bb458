// ROLE, WAIT and TIDE: how fresh each copy of the data is, and whether they are the same.

#include <fmt/format.h>

#include <array>

#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "cache/commands/tide_rows.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/commands_acks.h"
#include "server/commands_backup.h"
#include "server/commands_export.h"
#include "server/commands_freshness.h"
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

// Who follows this node, as two entries of a map.
void AnswerReplicas(const ReplicationView& view, ReplyBuilder& reply) {
  reply.Bulk("acked");  // What every replica has: the lowest of each shard.
  AnswerVector(view.acked, reply);
  reply.Bulk("replicas");
  std::vector<ReplicaReport> replicas = view.replicas;
  replicas.insert(replicas.end(), view.away.begin(), view.away.end());
  reply.ArrayHeader(replicas.size());
  for (const ReplicaReport& each : replicas) {
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

void TideWatermarks(Client& client, Args) {
  ReplyBuilder& reply = client.reply();
  const ReplicationView view = client.node().replication().View();
  const bool replica = client.node().is_replica();

  NodeDurability* durability = client.node().durability();
  const DurabilityView log = durability != nullptr ? durability->View() : DurabilityView();
  if (replica) {
    reply.MapHeader(5 + (log.enabled ? 1 : 0) + (view.serves_replicas ? 2 : 0));
  } else {
    reply.MapHeader(log.enabled ? 9 : 7);
  }
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
    if (log.enabled) {
      reply.Bulk("durable");  // On this node's own disk.
      AnswerVector(log.durable, reply);
    }
    if (view.serves_replicas) AnswerReplicas(view, reply);
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
  AnswerReplicas(view, reply);
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
    "ACK [memory | durable | replicas:N | durable_replicas:N | DEFAULT]",
    "    What the replies to this connection's writes wait for; DEFAULT is the node's setting.",
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
    "EXPORT <LIST | FORGET name>",
    "    The consumers of the change feed; FORGET gives up the place of one that is away.",
    "EXPIRE key [EX | PX time] [JITTER percent] [IDLE | PIDLE time] [STALE | PSTALE time]",
    "        [NX | XX | GT | LT]",
    "    Lets a key expire: with jitter, so long after its last use, or after a time of being "
    "stale.",
    "GET key [LEASE milliseconds]",
    "    GET that tells a stale value, and asks one caller to fetch it anew.",
    "SET key value [SET's options] [JITTER percent] [IDLE | PIDLE time] [STALE | PSTALE time]",
    "    SET whose EX or PX is up to so many percent shorter, whose idle time begins anew with "
    "each",
    "    use, and whose value is served as stale for a time.",
    "STALENESS milliseconds [records]",
    "    How far a replica may be behind for reads on this connection.",
    "TOKEN [ALL]",
    "    A token for what this connection has written, or for all that this node shows.",
    "TRACK <ON | OFF | TOKEN token>",
    "    Writes' replies carry their token; reads here see at least the token.",
    "WAIT token milliseconds",
    "    Waits until this node shows what the token names.",
    "WATERMARKS",
    "    The vectors of this node and of those that follow it.",
};
void TideHelp(Client& client, Args) { AnswerHelp("TIDE", kHelp, client.reply()); }

constexpr uint32_t kOpen = kNoScript | kLoading | kStale;

constexpr RowFamily kTideFamily = {"@slow", "server", kOpen};
constexpr RowFamily kPeerFamily = {"@slow", "server", kOpen | kNoAuth};
constexpr RowFamily kFreshnessFamily = {"@fast @connection", "connection", kNoScript | kFast};
constexpr RowFamily kTokenWaitFamily = {"@slow @connection", "connection", kNoScript};
constexpr RowFamily kRoleFamily = {"@admin @fast @dangerous", "server", kOpen | kFast};
constexpr RowFamily kWaitFamily = {"@slow @connection", "generic", kNoScript};
constexpr RowFamily kContainerFamily = {"@slow", "server"};

constexpr RowFamily kBackupFamily = {"@admin @slow @dangerous", "server", kAdmin | kNoScript};

constexpr std::array kTideSubcommands = {
    Row(kTideFamily, "tide|ack", -2, TideAck, "0.1.0",
        "What the replies to this connection's writes wait for."),
    Row(kBackupFamily, "tide|backup", -3, TideBackup, "0.1.0",
        "Keeps the data directory's files while they are copied."),
    Row(kTideFamily, "tide|digest", 2, TideDigest, "0.1.0",
        "A digest of the contents at a watermark.",
        "O(N) in the number of keys, in slices between other commands"),
    Row(kBackupFamily, "tide|export", -3, TideExport, "0.1.0",
        "Lists the consumers of the change feed, or forgets one."),
    ServerCommand{.spec = cache::kTideExpireRow},
    ServerCommand{.spec = cache::kTideGetRow},
    Row(kTideFamily, "tide|help", 2, TideHelp, "0.1.0", "The subcommands in brief."),
    Row(kTideFamily, "tide|history", 2, TideHistory, "0.1.0",
        "Where the node's history comes from, and what its promotion lost."),
    Row(kTideFamily, "tide|metrics", 2, TideMetrics, "0.1.0",
        "Every counter, in Prometheus' text format."),
    Row(kPeerFamily, "tide|peer", 2, TidePeer, "0.1.0",
        "The node's id, role and replication port, for other nodes."),
    ServerCommand{.spec = cache::kTideSetRow},
    Row(kFreshnessFamily, "tide|staleness", -3, TideStaleness, "0.1.0",
        "How far a replica may be behind for reads on this connection."),
    Row(kFreshnessFamily, "tide|token", -2, TideToken, "0.1.0",
        "A token for what this connection has written, or for all that this node shows."),
    Row(kFreshnessFamily, "tide|track", -3, TideTrack, "0.1.0",
        "Writes' replies carry their token; reads on this connection see at least the token."),
    Row(kTokenWaitFamily, "tide|wait", 4, TideWait, "0.1.0",
        "Waits until this node shows what the token names."),
    Row(kTideFamily, "tide|watermarks", 2, TideWatermarks, "0.1.0",
        "The watermark vectors of the node and its replicas."),
};

constexpr std::array kRows = {
    Row(kRoleFamily, "role", 1, Role, "2.8.12",
        "Whether the node is a primary or a replica, and of what."),
    WithTips(Row(kWaitFamily, "wait", 3, Wait, "3.0.0",
                 "Waits until replicas have what this connection wrote.", "O(1)", arguments::kWait),
             "request_policy:all_shards response_policy:agg_min"),
    WithTips(Row(kWaitFamily, "waitaof", 4, WaitAof, "7.2.0",
                 "Waits until this node's disk and replicas' disks have what this connection "
                 "wrote.",
                 "O(1)", arguments::kWaitAof),
             "request_policy:all_shards response_policy:agg_min"),
    Container(kContainerFamily, "tide", "0.1.0", "Container of the commands about watermarks.",
              kTideSubcommands),
};

}  // namespace

std::span<const ServerCommand> ReplicationCommands() { return kRows; }

}  // namespace tidemark::server
