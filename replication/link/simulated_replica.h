// A replica for tests: real ReplicaLink, Applier, ShardAppliers and keyspaces, on simulated shards
// and a simulated network.

#ifndef TIDEMARK_REPLICATION_LINK_SIMULATED_REPLICA_H_
#define TIDEMARK_REPLICATION_LINK_SIMULATED_REPLICA_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache/keyspace.h"
#include "replication/apply/applier.h"
#include "replication/apply/shard_applier.h"
#include "replication/link/replica_link.h"
#include "replication/link/simulated_network.h"

namespace tidemark::replication {

class SimulatedReplica {
 public:
  struct Options {
    ReplicaLink::Options link;
    Applier::Options applier;
  };
  // A connection to the primary of which the replica is end 0, or null if none can be had now.
  using Dial = std::function<std::shared_ptr<SimulatedConnection>()>;

  SimulatedReplica(Simulation* sim, const Options& options, Dial dial);
  ~SimulatedReplica();

  ReplicaLink& link() { return link_; }
  const Applier& applier() const { return applier_; }
  const std::shared_ptr<SimulatedConnection>& connection() const { return connection_; }
  // As a reader sees it now; empty: absent.
  std::string Read(const std::string& key);
  std::map<std::string, std::string> Contents();

 private:
  struct Shard {
    cache::Keyspace keyspace{cache::Keyspace::Options{.effects_only = true}};
    ShardApplier applier{&keyspace};
    int64_t busy_until_us = 0;
  };
  void Tick();
  // Does whatever the link and the applier want by now.
  void Serve();
  void Connect();
  void Attach();
  void Write();
  void HandOut(ApplyStep step);
  void Done(uint64_t step, size_t shard, const StepResult& result);
  void In(int64_t delay_us, std::function<void()> event);

  Simulation* const sim_;
  const Dial dial_;
  std::vector<std::unique_ptr<Shard>> shards_;
  Applier applier_;
  ReplicaLink link_;
  std::shared_ptr<SimulatedConnection> connection_;
  bool connecting_ = false;
  bool reading_ = true;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_SIMULATED_REPLICA_H_
