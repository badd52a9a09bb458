// Engine is the sharded store: a thread and a Shard per partition of the keyspace, and the mesh between
// them. It needs no sockets: an embedding program makes one and calls it through Client
// (tools/examples/embedded.cc).

#ifndef TIDEMARK_CACHE_ENGINE_H_
#define TIDEMARK_CACHE_ENGINE_H_

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "cache/command.h"
#include "cache/reactor.h"
#include "cache/shard.h"

namespace tidemark::cache {

class Engine {
 public:
  struct Options {
    int shard_count = 1;
    bool effects_only = false;  // A replica; see Keyspace::Options.
    const Clock* clock = &Clock::System();  // Borrowed.
    const CommandTable* commands = nullptr;  // Borrowed; null: the data commands alone.
    // Called once a shard before the threads start. The defaults: an event reactor, no sink.
    std::function<std::unique_ptr<Reactor>(ShardId)> make_reactor;
    std::function<MutationSink*(ShardId)> sink_of;
    int spin_limit = 256;       // Turns without work before a shard parks; fewer where cores are scarce.
    int park_timeout_ms = 50;   // A backstop, never the mechanism.
    int tick_ms = 100;
    size_t mesh_ring_messages = 1024;
    size_t mesh_spill_bytes = 64 << 20;  // Per peer; past it reading clients stops.
  };
  explicit Engine(Options options);
  ~Engine();  // Stops.

  // Shards exist, and take hooks and posted tasks, from construction; their threads run from Start to Stop.
  void Start();
  // Runs what was posted and hooks' OnStop, then joins. Idempotent. Not from a shard's thread.
  void Stop();

  int shard_count() const;
  Shard& shard(ShardId id);
  ShardId OwnerOf(std::string_view key, uint64_t hash) const;
  const CommandTable& commands() const;

  // Any thread.
  void Post(ShardId shard, absl::AnyInvocable<void(Shard&)> task);
  // Runs `each` on every shard's thread, then `done` on `home`'s. Not a cut: shards run it when they come to it.
  void PostToAll(ShardId home, std::function<void(Shard&)> each, absl::AnyInvocable<void(Shard&)> done);
  // As PostToAll, but at one instant of the whole keyspace: no command runs anywhere between the first
  // shard's `each` and the last one's, and none that spans shards is half done.
  void RunAtCut(ShardId home, std::function<void(Shard&)> each, absl::AnyInvocable<void(Shard&)> done);
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_ENGINE_H_
