// Shard is one thread's part of the engine: its keyspace, its loop, its end of the mesh, and the
// locks of commands that span shards.
//
// A turn of the loop: reactor (readiness, parse, execute) -> mesh inbound -> posted tasks
// -> mesh outbound -> hooks' OnTurnEnd (seal frames, flush replies) -> promotions -> wake peers
// -> housekeeping on a budget -> tick.
//
// Threading: everything here is for the shard's own thread, except where it says "any thread".

#ifndef TIDEMARK_CACHE_SHARD_H_
#define TIDEMARK_CACHE_SHARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/cycle_clock.h"
#include "base/ids.h"
#include "base/intrusive_ptr.h"
#include "base/parking.h"
#include "cache/cold_access.h"
#include "cache/cold_values.h"
#include "cache/command.h"
#include "cache/command_stats.h"
#include "cache/keyspace.h"
#include "cache/lock_table.h"
#include "cache/memory_budget.h"
#include "cache/mesh.h"
#include "cache/mutation_sink.h"
#include "cache/reactor.h"
#include "cache/reply_tape.h"
#include "cache/shard_memory.h"
#include "cache/slow_log.h"

namespace tidemark::cache {

class Engine;
class LockHolder;
class RequestBatch;
class Session;
class SessionCore;

// What others hang into a shard's loop. Borrowed; added before the engine starts.
class ShardHook {
 public:
  virtual ~ShardHook() = default;
  // After every turn, before the shard may park. Must not block.
  virtual void OnTurnEnd() {}
  // Every Options::tick_ms, and after a park that was longer.
  virtual void OnTick(int64_t now_ms) {}
  // A bounded slice of background work; true while there is more (the shard then does not park).
  virtual bool DoSlice() { return false; }
  // The shard is about to stop: the last call, on its thread, after connections were told to close.
  virtual void OnStop() {}
};

class Shard {
 public:
  struct Options {
    std::unique_ptr<Reactor> reactor;
    MutationSink* sink = nullptr;  // Borrowed.
    bool effects_only = false;
    const Clock* clock = nullptr;           // Borrowed.
    MemoryBudget* memory_budget = nullptr;  // Borrowed.
    int command_count = 0;                  // CommandTable::size().
    int shard_count = 1;
    int spin_limit = 256;
    int park_timeout_ms = 50;
    int tick_ms = 100;
    size_t mesh_ring_messages = 1024;
    size_t mesh_spill_bytes = 64 << 20;
  };
  Shard(Engine& engine, ShardId id, Options options);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  ShardId id() const { return id_; }
  Engine& engine() { return engine_; }
  Keyspace& keyspace() { return keyspace_; }
  Reactor& reactor() { return *options_.reactor; }
  const Clock& clock() const { return *options_.clock; }
  int shard_count() const { return options_.shard_count; }
  // The wall clock as of this turn: read once, when somebody first asks.
  int64_t now_ms() {
    if (!time_is_fresh_) RefreshTime();
    return now_ms_;
  }

  // Where this shard's mutations go; null: nowhere. Changed on a change of role, between commands.
  MutationSink* sink() const { return sink_; }
  void set_sink(MutationSink* sink);

  // Whether commands that write are answered with READONLY. A node that stops being the primary
  // says so here, at the cut at which its stream ends: what other shards had under way to this one
  // must not change the keyspace after that.
  bool read_only() const { return read_only_; }
  void set_read_only(bool read_only) {
    read_only_ = read_only;
    GuardWrites();
  }

  // What is to go when the engine's memory budget is spent. Tells the budget what there is; from
  // here on, if options.limited, the shard keeps to it.
  void SetEviction(const EvictionOptions& options);
  // Before a command that brings these arguments. Evicts, if need be; false if the command must be
  // refused for want of memory.
  bool MakeRoom(const CommandSpec& command, Args args);
  // Whether it would have to wait until a tier has written what it has, on this shard or on
  // another: better not offer it now.
  bool WaitsForTier(const CommandSpec& command) const {
    return (command.flags & kDenyOom) != 0 && writes_should_wait();
  }
  bool writes_should_wait() const { return options_.memory_budget->writes_should_wait(); }
  // After applying about so many bytes that could not be refused (a log's, a primary's stream):
  // lets values go to the tier, and calls `done` once that keeps up: at once, or from a later turn.
  // Who sends no more before is as fast as the tier's disk, and memory stays within its limit.
  void PaceApply(size_t bytes, absl::AnyInvocable<void()> done);
  const ShardMemory& memory() const { return memory_; }
  // Answers and counts that.
  void RefuseForMemory(const CommandSpec& command, ReplyBuilder& reply);

  // The time of the next command counts from here. Call it before the first command of a batch;
  // within the batch, the end of one command is the start of the next and one reading serves both.
  void StartTiming() {
    if (!time_is_fresh_) RefreshTime();
    last_ticks_ = cycles_.Now();
  }
  // Runs `command` here and now, with its timing, counters and slow log. The caller has checked
  // arity and that no lock stands in the way (Session does). False: a value that it needs is on
  // disk, and nothing has happened; see WaitingCommand.
  bool Execute(const CommandSpec& command, Args args, uint64_t key_hash, ReplyBuilder& reply,
               const Session* session);
  // Counts a command that ran elsewhere than in Execute (the server's own), as the latest in the
  // batch.
  enum class Outcome { kAnswered, kFailed };
  void Account(const CommandSpec& command, Args args, Outcome outcome, const Session* session);

  // Runs `task` on this shard's thread, after what was posted before it. Any thread; wakes the
  // shard. After Engine::Stop the task is destroyed instead.
  void Post(absl::AnyInvocable<void(Shard&)> task);

  // `threads` besides the engine's are as busy as shards from now on: where there is no core for
  // each, shards do not spin.
  void ShareCoresWith(int threads) {
    spin_.Adapt(options_.spin_limit, UsableCores(), options_.shard_count + threads);
  }

  void AddHook(ShardHook* hook) { hooks_.push_back(hook); }

  // Lets values go to disk and come back. Before the shard's thread runs; borrows `front`.
  void AttachTier(const ColdValues::Options& options, tier::TierFront* front) {
    cold_values_ = std::make_unique<ColdValues>(options, &keyspace_, front);
  }
  ColdValues* cold_values() { return cold_values_.get(); }  // Null: there is no tier.
  // Takes a value back into memory if it is still at `at`, and if there is room without anything
  // having to go first: a promotion must not take memory beyond its limit where the tier has all
  // that it can take, or takes nothing. Requires: there is a tier.
  void Promote(KeyRef key, const tier::ValueLocation& at, std::string_view value);

  // Keys past their time stay until they are asked for: deleting them makes work for the log.
  void set_expiry_paused(bool paused) { expiry_paused_ = paused; }

  CommandStats& command_stats() { return stats_; }
  SlowLog& slow_log() { return slow_log_; }

  // What this shard has sent its peers and they have not answered, for the peer with most of it, as
  // a share of Engine::Options::mesh_spill_bytes: 0 to 100. Whoever reads clients reads less as it
  // rises (docs/architecture.md, "Backpressure").
  int mesh_utilisation_percent() const;
  // The same in bytes, over all peers.
  size_t mesh_bytes_under_way() const;

  // For INFO and metrics; any thread may read them.
  struct Counters {
    std::atomic<uint64_t> turns{0};
    std::atomic<uint64_t> parks{0};
    std::atomic<uint64_t> wakes_sent{0};
    std::atomic<uint64_t> commands{0};
    std::atomic<uint64_t> mesh_requests{0};
    std::atomic<uint64_t> mesh_spills{0};
    std::atomic<uint64_t> lock_waits{0};
    std::atomic<uint64_t> transactions{0};
    std::atomic<uint64_t> writes_refused_oom{0};
  };
  const Counters& counters() const { return counters_; }

  // --- For the engine's own parts: sessions, batches, transactions. ---

  ColdAccess& cold_access() { return cold_access_; }

  // Execute, straight into the reply of a session with nothing pending; which waits if it must.
  void ExecuteDirectly(const CommandSpec& command, Args args, uint64_t key_hash, Session& session);
  // What Run() returns of a command that needs a value from disk: nothing has happened.
  static constexpr uint64_t kNotRun = ~uint64_t{0};
  // Runs and counts a command without the slow log. Returns its time in ns, or kNotRun.
  uint64_t Run(const CommandSpec& command, Args args, uint64_t key_hash, bool no_touch,
               ReplyBuilder& reply);
  // Remembers a command of a session of this shard if it took long.
  void NoteSlow(const CommandSpec& command, Args args, uint64_t nanos, const Session* session);

  // Counts a command that ran on several shards for `nanos` in all.
  void AccountTransaction(const CommandSpec& command, Args args, uint64_t nanos, Outcome outcome,
                          const Session* session);

  bool locks_empty() const { return locks_.empty(); }
  // Whether an ordinary command must queue behind one that spans shards.
  bool MustWait(const CommandSpec& command, Args args, uint64_t key_hash) const;
  // Calls holder->OnGranted when its turn comes: from within if that is now.
  void Acquire(LockHolder* holder);
  // Those that waited for it run before the turn ends.
  void Release(LockHolder* holder);

  MeshPort& mesh() { return mesh_; }
  // Adds a command to this turn's batch for `peer`; `slot` of `session` takes the answer.
  void SendRequest(ShardId peer, const CommandSpec& command, Args args, uint64_t key_hash,
                   bool no_touch, SessionCore& session, uint64_t slot);
  // A batch of this shard is back and its answers are delivered.
  void BatchDone(std::unique_ptr<RequestBatch> batch);
  // True if too much is under way; OnReplies then tells the session when that is over.
  bool MeshIsFull(SessionCore& session);
  void TransactionStarted() {
    ++transactions_under_way_;
    Bump(counters_.transactions);
  }
  void TransactionDone() { --transactions_under_way_; }
  // A request left its batch to wait for the disk on another shard, and will come back by itself;
  // or has come back. The two may come in any order.
  void RequestDetached() { ++detached_under_way_; }
  void DetachedRequestDone() { --detached_under_way_; }
  // An id that no other transaction of this history has.
  uint64_t NewTransactionId() { return next_transaction_++; }

  std::unique_ptr<ReplyTape> TakeTape();
  void ReturnTape(std::unique_ptr<ReplyTape> tape);
  // Where replies of sessions that are gone end.
  ReplyBuilder& discarded_replies();
  // Tells the session's observer before the turn ends, once.
  void QueueNotify(SessionCore& session);

 private:
  friend class Engine;
  // What this shard has for one peer.
  struct Outbound {
    std::unique_ptr<RequestBatch> open;  // This turn's.
    size_t bytes_under_way = 0;          // Of batches that were sent and are not back.
  };
  enum class Parked { kNo, kYes };

  // Calls the handler. kNotRun: as Run().
  uint64_t Call(const CommandSpec& command, Args args, uint64_t key_hash, bool no_touch,
                ReplyBuilder& reply);
  // After a call in vain: calls again if what it needs can be had without waiting.
  uint64_t CallAgain(const CommandSpec& command, Args args, uint64_t key_hash, bool no_touch,
                     ReplyBuilder& reply);
  // Run() itself; inlined where it is called, since the way to a command should cost less than the
  // command.
  uint64_t RunInline(const CommandSpec& command, Args args, uint64_t key_hash, bool no_touch,
                     ReplyBuilder& reply);
  uint64_t Count(const CommandSpec& command, uint64_t failed);
  void RunMultiKey(CommandContext& context, Args args, ReplyBuilder& reply);
  void Scan(CommandContext& context, Args args, ReplyBuilder& reply);
  void RefreshTime();
  // Whether a write may run; if not, it has been answered.
  bool AdmitWrite(const CommandSpec& command, Args args, ReplyBuilder& reply);
  void GuardWrites() { guards_writes_ = read_only_ || limits_memory_; }

  void SendBatch(ShardId peer);
  void CloseBatches();
  size_t RunGranted();
  size_t NotifySessions();
  size_t RunPosted();
  // Everything but sockets.
  size_t DoArrivals();

  void Loop();  // The thread.
  void Turn();
  size_t Park();
  bool RunSlices();
  // Those whom PaceApply() has kept.
  void LetAppliersGoOn();
  // Those that this turn's reads asked for.
  void LandPromotions();
  // Slices of background work that are due after a turn that began at `since_ticks`.
  int SlicesEarned(uint64_t since_ticks) const;
  bool TickIfDue(Parked parked);
  void WakePeers();
  bool WakeIfParked();  // Any thread.
  // True once no shard has anything under way. A shard counts as busy until it finds itself at
  // rest, and again when somebody posts to it; whoever posts is busy then, so the count cannot
  // reach zero too early.
  bool Drained();

  static void Bump(std::atomic<uint64_t>& counter, uint64_t by = 1) {
    // One writer, so no locked instruction.
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  // Read by every command.
  Keyspace keyspace_;
  ShardMemory memory_;
  LockTable locks_;
  CommandStats stats_;
  SlowLog slow_log_;
  ColdAccess cold_access_;
  const CycleClock cycles_;
  uint64_t commands_ = 0;       // Published once a turn.
  uint64_t last_ticks_ = 0;     // When the latest command ended, or StartTiming.
  bool time_is_fresh_ = false;  // now_ms_ is of this turn.
  bool guards_writes_ = false;  // AdmitWrite() has to be asked.
  bool read_only_ = false;
  bool limits_memory_ = false;
  int64_t now_ms_ = 0;
  MutationSink* sink_;
  Counters counters_;

  std::unique_ptr<ColdValues> cold_values_;
  Engine& engine_;
  const ShardId id_;
  const Options options_;
  TransactionInfo own_transaction_;  // Of commands with several keys, all of them here.
  uint64_t next_transaction_ = 0;

  MeshPort mesh_;
  std::vector<Outbound> outbound_;   // By peer.
  std::vector<ShardId> open_peers_;  // With an open batch.
  size_t full_peers_ = 0;            // With more under way than mesh_spill_bytes.
  uint64_t batches_under_way_ = 0;
  uint64_t transactions_under_way_ = 0;
  int64_t detached_under_way_ = 0;
  std::vector<std::unique_ptr<RequestBatch>> free_batches_;
  std::vector<std::unique_ptr<ReplyTape>> free_tapes_;
  ReplyTape discarded_;
  std::vector<LockTable::Request*> granted_;  // LockHolders that have not been told.
  std::vector<IntrusivePtr<SessionCore>> to_notify_;
  std::vector<IntrusivePtr<SessionCore>> notifying_;
  std::vector<IntrusivePtr<SessionCore>> waiting_for_mesh_;

  std::vector<absl::AnyInvocable<void()>> paced_appliers_;

  std::vector<ShardHook*> hooks_;
  SpinPolicy spin_;
  bool found_work_ = true;  // In the latest turn.
  int turns_since_tick_check_ = 0;
  int64_t next_tick_ns_ = 0;
  bool expiry_due_ = false;
  bool expiry_paused_ = false;
  Parker parker_;

  std::mutex posted_mutex_;
  std::vector<absl::AnyInvocable<void(Shard&)>> posted_;  // Guarded by posted_mutex_.
  bool counted_as_busy_ = true;  // Guarded by posted_mutex_; see Drained().
  std::atomic<bool> has_posted_{false};
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SHARD_H_
