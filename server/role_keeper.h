// RoleKeeper is where changes of a node's role are asked for: REPLICAOF, FAILOVER, and the orders
// of a primary that hands over. They are carried out one after the other, on a thread of their own,
// since each waits for shards, links and peers.
//
// Threading: thread-safe, except Start and Stop, which the main thread calls.
// Ownership: owned by the node, which outlives every change.

#ifndef TIDEMARK_SERVER_ROLE_KEEPER_H_
#define TIDEMARK_SERVER_ROLE_KEEPER_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "server/failover_plan.h"
#include "server/role_switch.h"

namespace tidemark::server {

class RoleKeeper {
 public:
  explicit RoleKeeper(Node& node);
  ~RoleKeeper();  // Stops.
  RoleKeeper(const RoleKeeper&) = delete;
  RoleKeeper& operator=(const RoleKeeper&) = delete;

  void Start();
  // A failover that is not past the point of no return is given up, another change is awaited; what
  // was asked for after it is answered with an error. Idempotent.
  void Stop();

  // How a request ended: the text of a status reply, or of an error.
  struct Outcome {
    bool ok = true;
    std::string text = "OK";
  };
  using Done = std::function<void(const Outcome&)>;  // Once, on any thread.

  // REPLICAOF NO ONE. OK at once on a primary.
  void Promote(Done done);
  // REPLICAOF. `port`: of the primary's clients, or the one on which it takes replicas. Refused:
  // the node itself, one that follows it, one that takes no replicas, and what is no node of ours.
  // One that cannot be reached now is followed once it can be.
  void Follow(std::string host, int port, Done done);

  struct Target {
    uint64_t id = 0;  // ReplicaReport's.
    std::string host;
    int port = 0;  // Of its clients.
  };
  // FAILOVER, which goes on after this has returned. False: one is under way.
  bool BeginFailover(Target target, FailoverPlan::Options options);
  // False: there is none, or it can no longer be taken back.
  bool AbortFailover();

  // INFO's master_failover_state.
  enum class FailoverState { kNone, kWaitingForSync, kInProgress };
  FailoverState failover_state() const { return failover_state_.load(std::memory_order_acquire); }

  // What the node's own link is told by its primary; for ReplicaReplication.
  ReplicaReplication::Orders orders();

 private:
  struct Job {
    std::function<void()> run;
    Done refuse;  // Instead, if the node stops first.
  };
  void Enqueue(std::function<void()> run, Done refuse);
  void Run();

  void DoPromote(const Done& done);
  void DoFollow(const std::string& host, int port, const Done& done);
  void DoOrderedPromotion();
  void DoOrderedFollow(const std::string& host, int port);
  // Why this node, a replica, must not take over now; empty: it may.
  std::string WhyNotTakeOver() const;

  void DoFailover(const Target& target, const FailoverPlan::Options& options);
  // Tells the target, and finds out what became of it: true once it is, or may be, the primary.
  bool HandOver(const Target& target, bool force);
  bool MayHaveTakenOver(const Target& target);
  void GiveUpFailover(std::string_view why, bool stream_ended);
  // Waits a little, or until there is something to look at. True if the failover is to be given up.
  bool PauseFailover(int64_t for_ms);

  Node& node_;
  RoleSwitch switch_;
  std::atomic<FailoverState> failover_state_{FailoverState::kNone};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // Guarded by mutex_, as what follows. Bounded.
  bool stopping_ = false;
  bool abort_ = false;  // The failover under way.
  std::thread thread_;
};

// "no-failover", "waiting-for-sync", "failover-in-progress".
std::string_view ToString(RoleKeeper::FailoverState state);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_ROLE_KEEPER_H_
