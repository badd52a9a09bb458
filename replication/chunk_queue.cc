#include "replication/chunk_queue.h"

#include <algorithm>
#include <utility>

#include "base/backpressure.h"

namespace tidemark::replication {

ChunkQueue::ChunkQueue(Options options)
    : options_(std::move(options)), waits_(static_cast<size_t>(options_.shard_count)) {}

bool ChunkQueue::HasRoom(ShardId shard) {
  const std::lock_guard lock(mutex_);
  // The shard that asks and the writer that takes meet at the lock: either the shard finds room, or
  // the writer, when it makes some, finds the shard waiting.
  const bool room = WalksMayGoOn();
  if (!room) waits_[shard.value()] = true;
  return room;
}

void ChunkQueue::Take(const FrameRef& chunk, size_t displaced_bytes, Sequence needed_through) {
  {
    const std::lock_guard lock(mutex_);
    if (!active()) return;
    const size_t displaced = displaced_bytes_.load(std::memory_order_relaxed);
    if (displaced_bytes > 0 && displaced >= options_.max_displaced_bytes) {
      End(Ended::kOverflowed);
    } else {
      queue_.push_back({{chunk, needed_through}, displaced_bytes});
      displaced_bytes_.store(displaced + displaced_bytes, std::memory_order_relaxed);
      const size_t queued = queued_bytes() + chunk->memory_bytes();
      queued_bytes_.store(queued, std::memory_order_relaxed);
      high_bytes_.store(std::max(high_watermark_bytes(), queued), std::memory_order_relaxed);
    }
  }
  arrived_.notify_one();
}

bool ChunkQueue::Wait(std::chrono::steady_clock::time_point deadline, std::vector<Chunk>* chunks) {
  chunks->clear();
  std::vector<bool> to_wake;
  {
    std::unique_lock lock(mutex_);
    const auto came = [this] { return !queue_.empty() || !active(); };
    // To wait for what is past would ask the kernel all the same.
    if (!came() && deadline > std::chrono::steady_clock::now()) {
      arrived_.wait_until(lock, deadline, came);
    }
    if (!active()) return false;
    Pop(chunks);
    if (WalksMayGoOn()) {
      to_wake.resize(waits_.size());
      to_wake.swap(waits_);
    }
  }
  for (size_t i = 0; i < to_wake.size(); ++i) {
    if (to_wake[i]) options_.wake_shard(ShardId(static_cast<uint16_t>(i)));
  }
  return true;
}

void ChunkQueue::Pop(std::vector<Chunk>* chunks) {
  size_t taken = 0;
  size_t displaced = 0;
  while (!queue_.empty() && taken < options_.walk_bytes / 4) {
    Queued& front = queue_.front();
    taken += front.chunk.frame->memory_bytes();
    displaced += front.displaced_bytes;
    chunks->push_back(std::move(front.chunk));
    queue_.pop_front();
  }
  queued_bytes_.store(queued_bytes() - taken, std::memory_order_relaxed);
  displaced_bytes_.store(displaced_bytes_.load(std::memory_order_relaxed) - displaced,
                         std::memory_order_relaxed);
}

void ChunkQueue::Cancel() {
  {
    const std::lock_guard lock(mutex_);
    if (active()) End(Ended::kCancelled);
  }
  arrived_.notify_one();
}

void ChunkQueue::End(Ended cause) {
  ended_.store(cause, std::memory_order_release);
  queue_.clear();
  queued_bytes_.store(0, std::memory_order_relaxed);
  displaced_bytes_.store(0, std::memory_order_relaxed);
}

int ChunkQueue::utilisation_percent() const {
  return UtilisationPercent(displaced_bytes_.load(std::memory_order_relaxed),
                            options_.max_displaced_bytes);
}

}  // namespace tidemark::replication
