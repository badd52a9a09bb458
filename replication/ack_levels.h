// AckLevels is what the link thread publishes of its replicas' acknowledgements, for shards to read
// without a lock: AckBoard's vectors, and how many replicas are connected and how fresh they are.
//
//   levels.Publish(board, connected, covered);           // The link thread, after each ack.
//
//   levels.NotifyWhenMoved(id);                           // A shard with replies that wait...
//   if (levels.reached(kApplied, 1, shard) >= s) ...      // ...looks once more after that,
//                                                         // and is woken at the next move.
//
// One ack moves the levels once and wakes each shard that asked once, however many replies wait.
//
// The sequences of a vector are read one after another, so they may be of different moments. No
// harm: each only grows, and all that is read is covered by the newest vector.
//
// Threading: Publish() on the link thread; NotifyWhenMoved() on that shard's; the rest on any.

#ifndef TIDEMARK_REPLICATION_ACK_LEVELS_H_
#define TIDEMARK_REPLICATION_ACK_LEVELS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>

#include "base/cache_line.h"
#include "base/ids.h"
#include "replication/ack_board.h"

namespace tidemark::replication {

class AckLevels {
 public:
  static constexpr int kMaxReplicas = AckBoard::kMaxReplicas;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

  // `wake` makes a shard run a turn soon; it is called on the link thread and must not block.
  AckLevels(int shard_count, std::function<void(ShardId)> wake);

  // The highest sequence of `shard` that `replicas` replicas hold, with all that was acknowledged
  // to others before; see AckBoard. Requires: 1 <= replicas <= kMaxReplicas.
  Sequence reached(AckKind kind, int replicas, ShardId shard) const {
    // Acquire: whoever sees that replicas have a write may tell the world of it.
    return Sequence(At(kind, replicas, shard).load(std::memory_order_acquire));
  }
  // Changes whenever a level has moved.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // Replicas whose streams run.
  int connected() const { return connected_.load(std::memory_order_relaxed); }
  // Of them, those that held all that was emitted at `since_ms` of the link thread's clock
  // (LinkLoop::NowMs) or later; at most kMaxReplicas.
  int CurrentSince(int64_t since_ms) const;

  // Has the shard woken at the next move. Once for each call.
  void NotifyWhenMoved(ShardId shard);

  // `covered_ms`: for each connected replica, when it was last known to hold all; in any order.
  void Publish(const AckBoard& board, int connected, std::span<const int64_t> covered_ms);

 private:
  struct alignas(kCacheLineBytes) Notice {
    std::atomic<bool> wanted{false};
  };
  size_t Index(AckKind kind, int replicas, ShardId shard) const {
    const size_t row = static_cast<size_t>(kind) * kMaxReplicas + static_cast<size_t>(replicas - 1);
    return row * shard_count_ + shard.value();
  }
  const std::atomic<uint64_t>& At(AckKind kind, int replicas, ShardId shard) const {
    return reached_[Index(kind, replicas, shard)];
  }

  const size_t shard_count_;
  const std::function<void(ShardId)> wake_;
  std::unique_ptr<std::atomic<uint64_t>[]> reached_;  // By kind, then replicas, then shard.
  std::unique_ptr<Notice[]> notices_;                 // By shard.
  std::atomic<uint64_t> version_{0};
  std::atomic<int> connected_{0};
  std::array<std::atomic<int64_t>, kMaxReplicas>
      covered_ms_;  // Newest first; kNever: there is none.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_ACK_LEVELS_H_
