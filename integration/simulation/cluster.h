// Cluster runs one scenario: a primary with a disk, three replicas, a consumer of the change feed
// and clients, on virtual time and a simulated network, with faults. docs/simulation.md says what
// must hold, and when it is looked at.
//
//   Cluster cluster(scenario, nullptr);
//   const std::string fault = cluster.Run();     // Empty: all was as it must be.
//
// Threading: one thread at a time; several clusters may run on several threads, but for scenarios
// that crash at a point (StepKind::kCrashAtPoint), whose hook is the process's.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_CLUSTER_H_
#define TIDEMARK_INTEGRATION_SIMULATION_CLUSTER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "integration/simulation/clients.h"
#include "integration/simulation/consumer_node.h"
#include "integration/simulation/coverage.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/node_time.h"
#include "integration/simulation/primary_node.h"
#include "integration/simulation/replica_node.h"
#include "integration/simulation/scenario.h"
#include "wal/disk/simulated_disk.h"

namespace tidemark::simulation {

class Cluster {
 public:
  // A line for each thing that happens.
  using Trace = std::function<void(const std::string& line)>;

  // `scenario` is borrowed. `trace` may be null.
  Cluster(const Scenario& scenario, Trace trace);
  ~Cluster();

  // To the end, or to the first fault, in words.
  std::string Run();

  const Situations& situations() const { return situations_; }

  // After the last fault is mended, all nodes agree within this much virtual time.
  static constexpr int64_t kConvergeWithinUs = 10'000'000;

 private:
  struct Replica {
    std::unique_ptr<NodeTime> time;
    std::unique_ptr<ReplicaNode> node;  // Null: it is down.
  };

  // cluster_nodes.cc: starting and ending nodes.
  PrimaryNode::Options PrimaryOptions() const;
  void StartPrimary();
  void EndPrimary(wal::SimulatedDisk::Unsynced unsynced, bool quietly, int64_t down_us);
  void StopPrimary(int64_t down_us);
  void NotePrimary();
  void StartReplica(size_t index);
  void EndReplica(size_t index);
  void NoteReplica(ReplicaNode& replica);
  ConnectionRef DialPrimary(bool consumer);

  // cluster_steps.cc: what a step does.
  void Perform(const Step& step);
  void PerformOnPrimary(const Step& step);
  void PerformOnDisk(const Step& step);
  void PerformOnConnection(const Step& step, const ConnectionRef& connection);
  void ConnectTwice(size_t index, int64_t for_us);
  void CrashAtPoint(int64_t nth);
  void LookAtPrimary();

  // cluster.cc: looking.
  void Look();
  void LookAtReplica(size_t index);
  void CheckContents(size_t index);
  void Mend();
  bool Converged();
  std::string WhyNotConverged();
  void NoteAll();
  void Say(const std::string& line);

  const Scenario& scenario_;
  const Trace trace_;
  Situations situations_;
  Simulation sim_;
  Ledger ledger_;
  Clients clients_;
  wal::SimulatedDisk disk_;
  int64_t sync_us_;
  int primary_shards_;
  uint64_t next_history_ = 1;
  HistoryId last_written_;  // In which the writes were made that end a scenario.
  bool unreachable_ = false;
  bool disk_hurt_ = false;  // A start may fail for it.
  bool was_full_ = false;   // The disk, when last looked at.
  bool replacing_ = false;  // The primary's log has failed, and an operator is on the way.

  NodeTime primary_time_;
  NodeTime consumer_time_;
  std::unique_ptr<PrimaryNode> primary_;  // Null: it is down.
  std::array<Replica, kReplicas> replicas_;
  std::unique_ptr<ConsumerNode> consumer_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_CLUSTER_H_
