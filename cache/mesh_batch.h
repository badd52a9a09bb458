// RequestBatch is one turn's commands for another shard. It goes there, is run, and comes back with
// the answers in the same object, which is then used again: in the steady state nothing is
// allocated. A request that has to wait for the disk leaves the batch, so that the others' answers
// do not wait with it.
//
// Threading: the origin's thread fills it and takes the answers; in between it is the target's.

#ifndef TIDEMARK_CACHE_MESH_BATCH_H_
#define TIDEMARK_CACHE_MESH_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "cache/argument_arena.h"
#include "cache/command.h"
#include "cache/mesh.h"
#include "cache/reply_tape.h"
#include "cache/session_core.h"

namespace tidemark::cache {

class RequestBatch final : public MeshMessage {
 public:
  // A batch this large is sent before the turn ends.
  static constexpr size_t kFullBytes = 64 * 1024;

  // To be filled for `target` by `origin`. Requires: it holds no requests.
  void Open(ShardId origin, ShardId target);
  // The answer goes to `slot` of `session`. Copies the arguments.
  void Add(const CommandSpec& command, Args args, uint64_t key_hash, bool no_touch,
           SessionCore* session, uint64_t slot);

  bool empty() const { return requests_.empty(); }
  size_t size() const { return requests_.size(); }
  ShardId target() const { return target_; }
  // Of the requests.
  size_t bytes() const { return arguments_.bytes() + requests_.size() * sizeof(Item); }

  void Arrive(Shard& shard) override;
  // Forgets requests and answers.
  void Clear();

 private:
  class Waiter;
  class Detached;
  struct Item {
    const CommandSpec* command = nullptr;
    Args args;
    uint64_t key_hash = 0;
    bool no_touch = false;
    SessionCoreRef session;  // The origin's alone.
    uint64_t slot = 0;
    // Written by the target.
    bool detached = false;  // It waits for the disk, and comes back by itself.
    size_t reply_position = 0;
    uint64_t nanos = 0;
  };

  void RunAll(Shard& target);
  // False: a value that it needs is on disk, and nothing has happened.
  bool RunOne(Shard& target, Item& request);
  void Detach(Shard& target, Item& request);
  void SendBackIfDone(Shard& target);
  void Deliver(Shard& origin);

  ShardId origin_;
  ShardId target_;
  bool answered_ = false;
  size_t waiting_ = 0;  // Requests that have not run.
  Sequence assigned_;   // The target's newest mutation when the last request had run.
  std::vector<Item> requests_;
  ArgumentArena arguments_;
  ReplyTape replies_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_MESH_BATCH_H_
