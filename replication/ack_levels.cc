#include "replication/ack_levels.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

AckLevels::AckLevels(int shard_count, std::function<void(ShardId)> wake)
    : shard_count_(static_cast<size_t>(shard_count)),
      wake_(std::move(wake)),
      reached_(std::make_unique<std::atomic<uint64_t>[]>(2 * kMaxReplicas * shard_count_)),
      notices_(std::make_unique<Notice[]>(shard_count_)) {
  for (auto& covered : covered_ms_) covered.store(kNever, std::memory_order_relaxed);
}

int AckLevels::CurrentSince(int64_t since_ms) const {
  int current = 0;
  for (const auto& covered : covered_ms_) {
    const int64_t at_ms = covered.load(std::memory_order_relaxed);
    current += at_ms != kNever && at_ms >= since_ms ? 1 : 0;
  }
  return current;
}

void AckLevels::NotifyWhenMoved(ShardId shard) {
  notices_[shard.value()].wanted.store(true, std::memory_order_relaxed);
  // The caller looks at the levels after this; the link thread moves them, fences and looks at the
  // flag: one of the two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void AckLevels::Publish(const AckBoard& board, int connected, std::span<const int64_t> covered_ms) {
  connected_.store(connected, std::memory_order_relaxed);
  std::array<int64_t, kMaxReplicas> newest;
  newest.fill(kNever);
  std::partial_sort_copy(covered_ms.begin(), covered_ms.end(), newest.begin(), newest.end(),
                         std::greater<>());
  for (size_t i = 0; i < newest.size(); ++i) {
    covered_ms_[i].store(newest[i], std::memory_order_relaxed);
  }

  bool moved = false;
  for (const AckKind kind : {AckKind::kApplied, AckKind::kDurable}) {
    for (int n = 1; n <= kMaxReplicas; ++n) {
      const Watermarks& reached = board.reached(kind, n);
      for (size_t i = 0; i < shard_count_; ++i) {
        std::atomic<uint64_t>& level = reached_[Index(kind, n, ShardId(static_cast<uint16_t>(i)))];
        if (level.load(std::memory_order_relaxed) == reached[i].value()) continue;
        level.store(reached[i].value(), std::memory_order_release);
        moved = true;
      }
    }
  }
  if (!moved) return;
  version_.fetch_add(1, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (size_t i = 0; i < shard_count_; ++i) {
    std::atomic<bool>& wanted = notices_[i].wanted;
    if (wanted.load(std::memory_order_relaxed) &&
        wanted.exchange(false, std::memory_order_relaxed)) {
      wake_(ShardId(static_cast<uint16_t>(i)));
    }
  }
}

}  // namespace tidemark::replication
