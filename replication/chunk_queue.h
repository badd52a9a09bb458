// ChunkQueue brings one snapshot's chunks from all shards to the one thread that writes them down.
//
//   shards:  HasRoom(shard) ... Take(chunk)          // From each shard's SnapshotProducer.
//   writer:  while (queue.Wait(deadline, &chunks)) write them
//
// Bounded: the walks of the shards pause while walk_bytes are queued, which need be no more than
// keeps the disk busy. What cannot wait, the entries that clients change before a walk has reached
// them, has a bound of its own, max_displaced_bytes, for the time that a slow sync takes; past that
// the snapshot is given up, because the alternative would be to stop the shards. Bounds are looked
// at before a chunk goes in, so an entry of any size gets through. utilisation_percent() lets the
// node read less from its clients before it comes to that.
//
// Threading: thread-safe. A lock is held for the few instructions that move a chunk; the shards
// meet it about once a chunk, not once a command.

#ifndef TIDEMARK_REPLICATION_CHUNK_QUEUE_H_
#define TIDEMARK_REPLICATION_CHUNK_QUEUE_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "replication/chunk_target.h"

namespace tidemark::replication {

class ChunkQueue final : public ChunkTarget {
 public:
  struct Options {
    int shard_count = 1;
    size_t walk_bytes = 8 << 20;
    size_t max_displaced_bytes = 64 << 20;
    // A shard that waits for room may go on: make it run a turn. Called by the writer's thread.
    std::function<void(ShardId)> wake_shard;
  };
  explicit ChunkQueue(Options options);

  struct Chunk {
    FrameRef frame;
    Sequence needed_through;  // See ChunkTarget::Take.
  };
  enum class Ended : uint8_t {
    kNo,
    kOverflowed,  // Clients changed entries faster than their old values could be written.
    kCancelled,   // By Cancel().
  };

  // --- ChunkTarget ---
  bool active() const override { return ended() == Ended::kNo; }
  bool HasRoom(ShardId shard) override;
  void Take(const FrameRef& chunk, size_t displaced_bytes, Sequence needed_through) override;
  // Drops what is queued, wakes the writer. Shards let go at their next turn.
  void Cancel() override;

  // --- The writer's thread ---

  // Replaces *chunks by the oldest that are queued, a quarter of walk_bytes and one chunk at most,
  // waiting for something until `deadline`. False: the snapshot has ended and nothing more will
  // come; *chunks is empty.
  bool Wait(std::chrono::steady_clock::time_point deadline, std::vector<Chunk>* chunks);

  // --- Any thread ---

  Ended ended() const { return ended_.load(std::memory_order_acquire); }
  size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }
  size_t high_watermark_bytes() const { return high_bytes_.load(std::memory_order_relaxed); }
  // How full of displaced entries it is: at 100 the snapshot is given up.
  int utilisation_percent() const;

 private:
  struct Queued {
    Chunk chunk;
    size_t displaced_bytes;
  };
  // These require mutex_ to be held.
  bool WalksMayGoOn() const { return queued_bytes() < options_.walk_bytes; }
  void Pop(std::vector<Chunk>* chunks);
  void End(Ended cause);

  const Options options_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Queued> queue_;                // Guarded by mutex_.
  std::vector<bool> waits_;                 // Shards that wait for room. Guarded by mutex_.
  std::atomic<size_t> queued_bytes_{0};     // Written under mutex_, as what follows.
  std::atomic<size_t> displaced_bytes_{0};  // Of those, what could not wait.
  std::atomic<size_t> high_bytes_{0};
  std::atomic<Ended> ended_{Ended::kNo};
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_CHUNK_QUEUE_H_
