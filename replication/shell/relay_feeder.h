// RelayFeeder tells the replicas of a replica, by its StreamRelay, of the stream that they may
// follow here: RelayGate decides what and when, this does it.
//
// Threading: the link thread. Borrows all that it is given.

#ifndef TIDEMARK_REPLICATION_SHELL_RELAY_FEEDER_H_
#define TIDEMARK_REPLICATION_SHELL_RELAY_FEEDER_H_

#include <cstdint>
#include <vector>

#include "replication/apply/applier.h"
#include "replication/link/relay_backlog.h"
#include "replication/link/relay_gate.h"
#include "replication/link/replica_link.h"
#include "replication/link/stream_relay.h"
#include "replication/shard_relay.h"
#include "replication/shell/step_runner.h"

namespace tidemark::replication {

class RelayFeeder {
 public:
  struct Links {
    StreamRelay* relay = nullptr;
    std::vector<ShardRelay*> shard_relays;  // One for each of this node's shards.
    const ReplicaLink* link = nullptr;
    const Applier* applier = nullptr;
    StepRunner* steps = nullptr;
  };
  // `tail`: of what the applier started from, for the first stream that is handed on; may be empty.
  RelayFeeder(const Links& links, std::vector<StreamTail> tail);

  // Does what there is to do by now. Before a step of another stream is handed out.
  void Serve();

 private:
  void BeginStream();
  std::vector<ShardPublisher::Beginning> Beginnings();

  const Links links_;
  RelayGate gate_;
  std::vector<StreamTail> tail_;
  int64_t upstream_told_ms_ = 0;  // The emitted_as_of_ms() that the relay knows.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_RELAY_FEEDER_H_
