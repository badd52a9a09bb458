// Cluster runs one scenario: four machines with a disk each, of which one is the primary, a
// consumer of the change feed and clients, on virtual time and a simulated network, with faults.
// docs/simulation.md says what must hold, and when it is looked at.
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
#include <optional>
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
  // What is there whatever happens to its process.
  struct Machine {
    std::string name;
    std::unique_ptr<NodeTime> time;
    std::unique_ptr<wal::SimulatedDisk> disk;
    int shards = 1;
    int64_t sync_us = 0;     // How long its disk takes now.
    bool disk_hurt = false;  // A start may fail for it.
    bool was_full = false;   // The disk, when last looked at.
    bool replacing = false;  // Its log has failed, and an operator is on the way.
    // Its process: one of them, or none.
    std::unique_ptr<PrimaryNode> primary;
    std::unique_ptr<ReplicaNode> replica;

    bool down() const { return primary == nullptr && replica == nullptr; }
  };
  using Unsynced = wal::SimulatedDisk::Unsynced;

  // The node that clients write to; null: it is down.
  PrimaryNode* primary() { return Current().primary.get(); }
  Machine& Current() { return machines_[current_]; }
  // The replica that a step means.
  Machine& ReplicaOf(const Step& step) { return machines_[OtherMachine(step.replica)]; }
  size_t OtherMachine(size_t replica) const { return (current_ + 1 + replica) % kMachines; }

  // cluster_nodes.cc: starting and ending processes.
  NodeStore::Options StoreOptions(const Machine& machine) const;
  PrimaryNode::Options PrimaryOptions(const Machine& machine);
  ReplicaNode::Options ReplicaOptions(size_t index);
  // In the role that it has by now, unless it is up. Tries again while its disk fails.
  void Start(size_t index);
  bool StartPrimary(size_t index);
  bool StartReplica(size_t index);
  void StartFailed(size_t index, const absl::Status& why);
  // The process dies. `quietly`: no connection of it says goodbye.
  void End(size_t index, Unsynced unsynced, bool quietly);
  void StopInOrder(size_t index);
  void StartIn(size_t index, int64_t delay_us);
  void OnEnded(size_t index);
  void NotePrimary(const PrimaryNode& primary);
  void NoteReplica(ReplicaNode& replica);
  ConnectionRef DialPrimary();
  ConsumerNode::Dialled DialFeed();

  // cluster_roles.cc: another primary.
  struct Promotion {
    HistoryId history;  // That was lost.
    bool by_restart = false;
    int tries = 0;
    std::optional<size_t> chosen;  // Which is ending its link.
    bool best = true;
    size_t lost = 0;
  };
  void LosePrimary(const Step& step);
  void LosePowerOfReplicas();
  bool MayBePromoted(const Machine& machine) const;
  void TryToPromote();
  void PromoteByRestart(size_t index);
  void PromoteNow(size_t index, replication::ReplicaClient::Ending ending);
  void OnPromoted(size_t index);
  void WriteToIsolated(size_t index, uint64_t salt);

  // cluster_steps.cc: what a step does.
  void Perform(const Step& step);
  void PerformOnPrimary(const Step& step);
  void PerformOnDisk(const Step& step);
  void PerformOnConnection(const Step& step, const ConnectionRef& connection);
  void CrashReplica(const Step& step);
  void ConnectTwice(const std::string& name, int64_t for_us);
  void CrashAtPoint(const Step& step);
  void LookAtDisk(size_t index);

  // cluster.cc: looking.
  void Look();
  void LookAtReplica(Machine& machine);
  void CheckContents(Machine& machine);
  void Mend();
  bool Converged();
  bool Converged(Machine& machine, const Watermarks& emitted);
  std::string WhyNotConverged();
  void NoteAll();
  void Say(const std::string& line);

  const Scenario& scenario_;
  const Trace trace_;
  Situations situations_;
  Simulation sim_;
  Ledger ledger_;
  Clients clients_;
  uint64_t next_history_ = 1;
  HistoryId last_written_;  // In which the writes were made that end a scenario.
  bool unreachable_ = false;
  size_t current_ = 0;                    // The primary's machine.
  std::optional<Promotion> promotion_;    // While nobody is the primary.
  std::optional<Promotion> taking_over_;  // Of the one that begins; it may need several starts.
  std::optional<size_t> isolated_;        // Was the primary, lives, and nobody reaches it.

  static constexpr size_t kMachines = kReplicas + 1;
  std::array<Machine, kMachines> machines_;
  NodeTime consumer_time_;
  std::unique_ptr<ConsumerNode> consumer_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_CLUSTER_H_
