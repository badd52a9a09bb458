// REPLICAOF and FAILOVER: what a node is, changed while it runs. And TIDE PEER and TIDE HISTORY:
// who a node is, and where its data come from.

#include "server/commands_roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "replication/shell/primary_locator.h"
#include "server/argument_docs.h"
#include "server/node.h"
#include "server/server_command.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

std::optional<int> ParsePort(std::string_view text) {
  const std::optional<int64_t> port = ParseInteger(text);
  if (!port || *port < 0 || *port > std::numeric_limits<uint16_t>::max()) return std::nullopt;
  return static_cast<int>(*port);
}

// Answers the running command when the change of role is over. It outlives that change, of course.
RoleKeeper::Done AnswerLater(Client& client) {
  return [&node = client.node(), home = client.shard().id(),
          complete = client.Block(Client::OnRoleChange::kKeepWaiting)](
             const RoleKeeper::Outcome& outcome) {
    node.engine().Post(home, [complete, outcome](Shard&) {
      complete([&](ReplyBuilder& reply) {
        outcome.ok ? reply.Status(outcome.text) : reply.Error(outcome.text);
      });
    });
  };
}

void ReplicaOf(Client& client, Args args) {
  Node& node = client.node();
  if (node.roles().failover_state() != RoleKeeper::FailoverState::kNone) {
    return client.reply().Error("ERR REPLICAOF not allowed while failing over.");
  }
  if (EqualsIgnoreCase(args[1], "no") && EqualsIgnoreCase(args[2], "one")) {
    return node.roles().Promote(AnswerLater(client));
  }
  const std::optional<int> port = ParsePort(args[2]);
  if (!port) return client.reply().Error("ERR Invalid master port");
  node.roles().Follow(std::string(args[1]), *port, AnswerLater(client));
}

struct FailoverWords {
  std::optional<std::string> host;
  int port = 0;
  bool force = false;
  bool abort = false;
  std::optional<int64_t> timeout_ms;
};

// Null, with the error answered, if they are not FAILOVER's.
std::optional<FailoverWords> ParseFailover(Args args, ReplyBuilder& reply) {
  FailoverWords words;
  for (size_t i = 1; i < args.size(); ++i) {
    const size_t left = args.size() - i - 1;
    if (EqualsIgnoreCase(args[i], "timeout") && left >= 1 && !words.timeout_ms) {
      const std::optional<int64_t> timeout_ms = ParseInteger(args[++i]);
      if (!timeout_ms) {
        reply.Error(kNotAnInteger);
        return std::nullopt;
      }
      if (*timeout_ms <= 0) {
        reply.Error("ERR FAILOVER timeout must be greater than 0");
        return std::nullopt;
      }
      words.timeout_ms = timeout_ms;
    } else if (EqualsIgnoreCase(args[i], "to") && left >= 2 && !words.host) {
      words.host = std::string(args[i + 1]);
      const std::optional<int> port = ParsePort(args[i + 2]);
      if (!port) {
        reply.Error("ERR value is not an integer or out of range");
        return std::nullopt;
      }
      words.port = *port;
      i += 2;
    } else if (EqualsIgnoreCase(args[i], "abort") && args.size() == 2) {
      words.abort = true;
    } else if (EqualsIgnoreCase(args[i], "force") && !words.force) {
      words.force = true;
    } else {
      reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  return words;
}

RoleKeeper::Target TargetOf(const ReplicaReport& replica) {
  const HostAndPort address = SplitAddress(replica.address);
  return {.id = replica.id,
          .host = std::string(address.host),
          .port = ParsePort(address.port).value_or(0)};
}

bool IsAt(const RoleKeeper::Target& replica, std::string_view host, int port) {
  const std::string_view named = EqualsIgnoreCase(host, "localhost") ? "127.0.0.1" : host;
  return replica.host == named && replica.port == port;
}

// Null, with the error answered, if there is none such that is online.
std::optional<RoleKeeper::Target> ChooseTarget(const ReplicationView& view,
                                               const FailoverWords& words, ReplyBuilder& reply) {
  const ReplicaReport* chosen = nullptr;
  for (const ReplicaReport& replica : view.replicas) {
    if (words.host && !IsAt(TargetOf(replica), *words.host, words.port)) continue;
    const bool better =
        chosen == nullptr || (chosen->state != "online" && replica.state == "online") ||
        (chosen->state == replica.state && replica.lag_records < chosen->lag_records);
    if (better) chosen = &replica;
  }
  if (chosen == nullptr) {
    reply.Error("ERR FAILOVER target HOST and PORT is not a replica.");
    return std::nullopt;
  }
  if (chosen->state != "online") {
    reply.Error("ERR FAILOVER target replica is not online.");
    return std::nullopt;
  }
  return TargetOf(*chosen);
}

void Failover(Client& client, Args args) {
  constexpr int64_t kDefaultTimeoutMs = 10'000;
  ReplyBuilder& reply = client.reply();
  Node& node = client.node();
  const std::optional<FailoverWords> words = ParseFailover(args, reply);
  if (!words) return;
  const bool under_way = node.roles().failover_state() != RoleKeeper::FailoverState::kNone;
  if (words->abort) {
    if (!under_way) return reply.Error("ERR No failover in progress.");
    if (!node.roles().AbortFailover()) {
      return reply.Error("ERR The target has been told to take over; it is too late to abort.");
    }
    return reply.Ok();
  }
  if (node.is_replica()) {
    return reply.Error("ERR FAILOVER is not valid when server is a replica.");
  }
  if (under_way) return reply.Error("ERR FAILOVER already in progress.");
  const ReplicationView view = node.replication().View();
  if (view.replicas.empty()) return reply.Error("ERR FAILOVER requires connected replicas.");
  if (words->force && (!words->host || !words->timeout_ms)) {
    return reply.Error(
        "ERR FAILOVER with force option requires both a timeout and target host and IP.");
  }
  const std::optional<RoleKeeper::Target> target = ChooseTarget(view, *words, reply);
  if (!target) return;
  const bool begun = node.roles().BeginFailover(
      *target,
      {.timeout_ms = words->timeout_ms.value_or(kDefaultTimeoutMs), .force = words->force});
  begun ? reply.Ok() : reply.Error("ERR FAILOVER already in progress.");
}

void AnswerVector(const Watermarks& watermarks, ReplyBuilder& reply) {
  reply.ArrayHeader(watermarks.size());
  for (Sequence s : watermarks) reply.Integer(static_cast<int64_t>(s.value()));
}

constexpr RowFamily kFamily = {"@admin @slow @dangerous", "server",
                               kAdmin | kNoScript | kStale | kNoAsyncLoading};
constexpr RowFamily kFailoverFamily = {"@admin @slow @dangerous", "server",
                                       kAdmin | kNoScript | kStale};

constexpr std::array kRows = {
    Row(kFailoverFamily, "failover", -1, Failover, "6.2.0",
        "Hands this primary's role to one of its replicas.", "O(1)", arguments::kFailover),
    Row(kFamily, "replicaof", 3, ReplicaOf, "5.0.0",
        "Makes the node a replica of another, or a primary.", "O(1)", arguments::kReplicaOf),
    Deprecated(
        Row(kFamily, "slaveof", 3, ReplicaOf, "1.0.0",
            "Makes the node a replica of another, or a primary.", "O(1)", arguments::kReplicaOf),
        "5.0.0", "`REPLICAOF`"),
};

}  // namespace

void TidePeer(Client& client, Args) {
  const Node& node = client.node();
  client.reply().Bulk(replication::PeerAnswerText(
      {.speaks_resp = true,
       .role = node.is_replica() ? "replica" : "primary",
       .node_id = node.identity().node_id,
       .replication_port = static_cast<uint16_t>(node.replication().port()),
       .follows = node.replication().View().follows}));
}

void TideHistory(Client& client, Args) {
  ReplyBuilder& reply = client.reply();
  const ReplicationView view = client.node().replication().View();
  reply.MapHeader(5);
  reply.Bulk("history");
  reply.Bulk(view.history_hex);
  reply.Bulk("ancestors");  // Oldest first.
  reply.ArrayHeader(view.ancestors.size());
  for (const AncestorReport& ancestor : view.ancestors) {
    reply.MapHeader(2);
    reply.Bulk("history");
    reply.Bulk(ancestor.history_hex);
    reply.Bulk("fork");
    AnswerVector(ancestor.fork, reply);
  }
  reply.Bulk("promoted_from");  // Empty: this node was not promoted.
  reply.Bulk(view.parent_hex);
  reply.Bulk("fork");
  AnswerVector(view.fork, reply);
  reply.Bulk("lost");  // Emitted by the old primary, as last heard, and not here.
  reply.ArrayHeader(view.lost.size());
  for (const LostSpan& span : view.lost) {
    reply.ArrayHeader(3);
    reply.Integer(span.shard.value());
    reply.Integer(static_cast<int64_t>(span.first.value()));
    reply.Integer(static_cast<int64_t>(span.last.value()));
  }
}

std::span<const ServerCommand> RoleCommands() { return kRows; }

}  // namespace tidemark::server
