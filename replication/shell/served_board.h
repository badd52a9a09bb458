// ServedBoard is where a replica's link thread shows how far what is served has come, and where
// shards look that have readers with demands on it: "not before this token", "not staler than
// that".
//
//   board.Show(position);                     // The link thread, before readers may see more of
//                                             // the stream, and when all of them see it.
//   board.WakeOnMove(shard);                  // A shard that waits: before it looks.
//   ServedPosition now = board.Get();
//
// A shard that has asked is woken at the next Show(), once: it asks again if it still waits.
//
// Threading: thread-safe. What readers pay without demands is nothing; looking at staleness costs
// two loads.

#ifndef TIDEMARK_REPLICATION_SHELL_SERVED_BOARD_H_
#define TIDEMARK_REPLICATION_SHELL_SERVED_BOARD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "base/ids.h"
#include "replication/served_position.h"

namespace tidemark::replication {

class ServedBoard {
 public:
  // `wake` has a shard run a turn, soon; called on the link thread, must not block.
  ServedBoard(int shards, std::function<void(ShardId)> wake);

  void Show(ServedPosition position);
  ServedPosition Get() const;
  // Changes whenever the position does so other than by moving forward in its history. What a
  // position covered once it covers for as long as this stays. Never 0.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  void WakeOnMove(ShardId shard);

  // How old what is served may be. `current_as_of_ms`: when it was last known to be all that the
  // primary had, on LinkLoop's clock; 0: never. `lag_records`: known to be missing.
  void ShowAge(int64_t current_as_of_ms, uint64_t lag_records) {
    current_as_of_ms_.store(current_as_of_ms, std::memory_order_relaxed);
    lag_records_.store(lag_records, std::memory_order_relaxed);
  }
  // -1: it was never known to be current.
  int64_t StaleMs(int64_t now_ms) const;
  uint64_t lag_records() const { return lag_records_.load(std::memory_order_relaxed); }

 private:
  const int shards_;
  const std::function<void(ShardId)> wake_;
  mutable std::mutex mutex_;
  ServedPosition position_;  // Guarded by mutex_.
  std::atomic<uint64_t> generation_{1};
  std::unique_ptr<std::atomic<bool>[]> wanted_;  // By shard: it wants to be woken.
  std::atomic<int64_t> current_as_of_ms_{0};
  std::atomic<uint64_t> lag_records_{0};
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_SERVED_BOARD_H_
