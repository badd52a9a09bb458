// Engine is the sharded store: a thread and a Shard per partition of the keyspace, and the mesh
// between them. It needs no sockets: an embedding program makes one and calls it through Client
// (tools/examples/embedded.cc).

#ifndef TIDEMARK_CACHE_ENGINE_H_
#define TIDEMARK_CACHE_ENGINE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/key_hash.h"
#include "cache/command.h"
#include "cache/keyspace.h"
#include "cache/memory_budget.h"
#include "cache/reactor.h"
#include "cache/shard.h"

namespace tidemark::cache {

class Engine {
 public:
  struct Options {
    int shard_count = 1;
    bool effects_only = false;               // A replica; see Keyspace::Options.
    const Clock* clock = &Clock::System();   // Borrowed.
    const CommandTable* commands = nullptr;  // Borrowed; null: the data commands alone.
    // Called once a shard before the threads start. The defaults: an event reactor, no sink.
    std::function<std::unique_ptr<Reactor>(ShardId)> make_reactor;
    std::function<MutationSink*(ShardId)> sink_of;
    int spin_limit = 256;  // Turns without work before a shard parks; none where cores are scarce.
    int park_timeout_ms = 50;  // A backstop, never the mechanism.
    int tick_ms = 100;
    size_t mesh_ring_messages = 1024;    // Rounded up to a power of two.
    size_t mesh_spill_bytes = 64 << 20;  // Unanswered, per peer; past it sessions are not ready().
  };
  explicit Engine(Options options);
  ~Engine();  // Stops.
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Shards exist, and take hooks and posted tasks, from construction; their threads run from Start
  // to Stop.
  void Start();
  // Runs what was posted and hooks' OnStop, then waits until nothing is under way between shards,
  // and joins. After a hook's OnStop no session may be given commands on its shard, except by
  // answers and tasks that were under way. Idempotent. Not from a shard's thread.
  void Stop();

  int shard_count() const { return static_cast<int>(shards_.size()); }
  Shard& shard(ShardId id) { return *shards_[id.value()]; }
  ShardId OwnerOf(std::string_view key, uint64_t hash) const {
    return ShardOf(key, hash, shard_count());
  }
  const CommandTable& commands() const { return *commands_; }

  // Bounds what all keyspaces together may hold (kUnlimited: nothing does), and says what goes once
  // that is reached; shards follow in their next turns. options.limited is ignored. Any thread, one
  // call at a time.
  void LimitMemory(size_t limit_bytes, EvictionOptions options);
  // Of the keyspaces; set_limit_bytes() moves a limit that LimitMemory() set.
  MemoryBudget& memory_budget() { return memory_budget_; }

  // Any thread. Tasks posted before Start run after it; those posted after Stop are destroyed
  // unrun.
  void Post(ShardId shard, absl::AnyInvocable<void(Shard&)> task);
  // Runs `each` on every shard's thread, on several at once, then `done` on `home`'s. Not a cut:
  // shards run it when they come to it.
  void PostToAll(ShardId home, std::function<void(Shard&)> each,
                 absl::AnyInvocable<void(Shard&)> done);
  // As PostToAll, but at one instant of the whole keyspace: no command runs anywhere between the
  // first shard's `each` and the last one's, and none that spans shards is half done.
  void RunAtCut(ShardId home, std::function<void(Shard&)> each,
                absl::AnyInvocable<void(Shard&)> done);

 private:
  friend class Shard;

  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  // The count of shards with something under way, see Shard::Drained. It never leaves zero again:
  // AddBusyShard is then false.
  bool AddBusyShard();
  void RemoveBusyShard() { busy_shards_.fetch_sub(1, std::memory_order_acq_rel); }
  bool AllDrained() const { return busy_shards_.load(std::memory_order_acquire) == 0; }

  CommandTable data_commands_;  // If the options name no table.
  const CommandTable* commands_;
  MemoryBudget memory_budget_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> busy_shards_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_ENGINE_H_
