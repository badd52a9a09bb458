// RoleSwitch changes what a node is while it runs: a replica takes over from its primary, or the
// node, whatever it was, follows another.
//
//   to primary:  the link ends when all that came is applied; a new history begins there (fork.h),
//                with the same sequences; the shards get their sinks and take writes.
//   to replica:  writes are refused; the streams end at one cut; others are told; the shards lose
//                their sinks; the link begins where the streams ended, so that nothing is copied if
//                the new primary's history allows.
//
// With a data directory the log changes with the role, in between, by one write of the manifest: a
// new history is in it before the first write is taken, and that the node follows before the first
// record comes (StreamKeeper). Whoever starts on the directory after a crash finds one or the
// other, and all that was durable. Snapshots and export stop first, and start again in the new
// role.
//
// Each role's end of replication is made anew (Node::Exchange). Cuts that are asked for meanwhile
// (digests) wait, so that nobody sees the contents of one role under the vector of the other.
//
// Threading: the role thread (RoleKeeper).

#ifndef TIDEMARK_SERVER_ROLE_SWITCH_H_
#define TIDEMARK_SERVER_ROLE_SWITCH_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "replication/shell/replication_server.h"
#include "server/primary_replication.h"
#include "server/replica_replication.h"

namespace tidemark::server {

class Node;

class RoleSwitch {
 public:
  RoleSwitch(Node& node, ReplicaReplication::Orders orders)
      : node_(node), orders_(std::move(orders)) {}

  // Requires: the node is a replica. `goodbye`: what its primary hears. Not OK: the log could not
  // be made this node's own, and it goes on following.
  absl::Status TakeOver(replication::wire::Goodbye::Code goodbye);
  // `moved`: the node was the primary, and has handed over to this one.
  void Follow(const std::string& host, int port,
              std::optional<replication::PrimaryHub::NewPrimary> moved = std::nullopt);

  // Requires: the node is that.
  PrimaryReplication& primary();
  ReplicaReplication& replica();

 private:
  // From where a replica would go on, once the node is none of what it was.
  ReplicaReplication::Course EndPresentRole();
  void BecomeReplica(ReplicaReplication::Course course,
                     const std::optional<replication::PrimaryHub::NewPrimary>& moved);
  void StopServices();

  Node& node_;
  const ReplicaReplication::Orders orders_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_ROLE_SWITCH_H_
