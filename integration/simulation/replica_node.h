// ReplicaNode is one life of a simulated replica's process: the production ReplicaLink, Applier,
// ShardAppliers and keyspaces, with events for threads and sockets.
//
// It keeps nothing on disk: after a crash it comes back empty. Where a replica has a log of its
// own, the frames that ReplicaLink hands to the Applier, and the position that it says hello with,
// go through that: this class is where it joins in.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time and ledger.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_REPLICA_NODE_H_
#define TIDEMARK_INTEGRATION_SIMULATION_REPLICA_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/keyspace.h"
#include "integration/simulation/contents.h"
#include "integration/simulation/endpoint.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/node_time.h"
#include "replication/apply/applier.h"
#include "replication/apply/shard_applier.h"
#include "replication/link/replica_link.h"

namespace tidemark::simulation {

class ReplicaNode {
 public:
  struct Options {
    std::string name;
    replication::ReplicaLink::Options link;
    replication::Applier::Options applier;
  };
  // A connection to the primary of which the replica is end 0, or null if none can be had now.
  using Dial = std::function<ConnectionRef()>;

  ReplicaNode(NodeTime* time, Ledger* ledger, const Options& options, Dial dial);
  ~ReplicaNode();

  // It is not scheduled for so long; its sockets' buffers fill up meanwhile.
  void Stop(int64_t for_us);
  // The machine loses power: the primary does not hear of it.
  void LosePower();

  replication::ReplicaLink& link() { return link_; }
  const replication::Applier& applier() const { return applier_; }
  const ConnectionRef& connection() const { return connection_; }  // Null: none.
  // Whether no step is under way, so that the keyspaces hold exactly what applied() says.
  bool settled() const { return applier_.idle(); }

  // What is not as it must be, or empty.
  std::string Check();
  // How often it has gone on in another history with the data that it had.
  uint64_t continued() const { return continued_; }
  // The value as a reader sees it now; empty: absent.
  std::string Read(const std::string& key);
  Contents ContentsNow();

 private:
  struct Shard {
    cache::Keyspace keyspace{cache::Keyspace::Options{.sink = nullptr, .effects_only = true}};
    replication::ShardApplier applier{&keyspace};
    int64_t busy_until_us = 0;
  };
  void Tick();
  // Does whatever the link and the applier want by now.
  void Serve();
  void Connect();
  void SetReading();
  void HandOut(replication::ApplyStep step);
  void RunStep(const std::shared_ptr<replication::ApplyStep>& step, size_t shard);
  void Done(uint64_t step, size_t shard, const replication::StepResult& result);
  std::string CheckGoesForward();

  NodeTime* const time_;
  Ledger* const ledger_;
  const Options options_;
  const Dial dial_;
  std::vector<std::unique_ptr<Shard>> shards_;
  replication::Applier applier_;
  replication::ReplicaLink link_;
  ConnectionRef connection_;
  bool connecting_ = false;
  bool reading_ = true;
  HistoryId seen_history_;  // As of the latest check, with seen_applied_.
  Watermarks seen_applied_;
  uint64_t seen_swaps_ = 0;
  uint64_t continued_ = 0;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_REPLICA_NODE_H_
