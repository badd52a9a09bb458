// Shard is one thread's part of the engine: its keyspace, its loop, its end of the mesh, and the locks of
// commands that span shards.
//
// A turn of the loop: reactor (readiness, parse, execute) -> mesh inbound -> posted tasks -> mesh outbound
// -> hooks' OnTurnEnd (seal frames, flush replies) -> wake peers -> housekeeping on a budget -> tick.
//
// Threading: everything here is for the shard's own thread, except where it says "any thread".

#ifndef TIDEMARK_CACHE_SHARD_H_
#define TIDEMARK_CACHE_SHARD_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cache/command.h"
#include "cache/command_stats.h"
#include "cache/keyspace.h"
#include "cache/mutation_sink.h"
#include "cache/reactor.h"
#include "cache/slow_log.h"

namespace tidemark::cache {

class Engine;
class Session;

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
  ShardId id() const;
  Engine& engine();
  Keyspace& keyspace();
  Reactor& reactor();
  const Clock& clock() const;
  // The wall clock as of this turn.
  int64_t now_ms() const;

  // Runs `command` here and now, with its timing, counters and slow log. The caller has checked arity
  // and that no lock stands in the way (Session does).
  void Execute(const CommandSpec& command, Args args, uint64_t key_hash, ReplyBuilder& reply,
               const Session* session);

  // Runs `task` on this shard's thread, after what was posted before it. Any thread; wakes the shard.
  void Post(absl::AnyInvocable<void(Shard&)> task);

  void AddHook(ShardHook* hook);

  CommandStats& command_stats();
  SlowLog& slow_log();

  // Fill of the fullest of this shard's outbound queues to its peers, 0 to 100: whoever reads clients
  // reads less as it rises (docs/architecture.md, "Backpressure").
  int mesh_utilisation_percent() const;

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
  };
  const Counters& counters() const;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SHARD_H_
