#include "wal/shard_log.h"

#include <algorithm>
#include <utility>

namespace tidemark::wal {

ShardLog::ShardLog(ShardId shard, size_t max_bytes, std::function<void()> wake_log)
    : shard_(shard), max_bytes_(std::max<size_t>(1, max_bytes)), wake_log_(std::move(wake_log)) {}

void ShardLog::Append(FrameRef frame) {
  appended_bytes_.store(appended_bytes_.load(std::memory_order_relaxed) + frame->bytes().size(),
                        std::memory_order_relaxed);
  // Behind what spilled, or it would overtake it.
  if (spill_.empty() && ring_.TryPush(std::move(frame))) {
    pushed_ = true;
    return;
  }
  spill_.push_back(std::move(frame));
}

void ShardLog::PushSpill() {
  while (!spill_.empty() && ring_.TryPush(std::move(spill_.front()))) {
    spill_.pop_front();
    pushed_ = true;
  }
}

void ShardLog::OnTurnEnd() {
  if (!spill_.empty()) {
    PushSpill();
    if (!spill_.empty()) {
      // An idle shard has no next turn: the log thread starts one when there is room. Announce,
      // fence, look once more: either it sees the flag after it made room, or we see the room.
      spilled_.store(true, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      PushSpill();
    }
  }
  if (!pushed_) return;
  pushed_ = false;
  wake_log_();
}

void ShardLog::OnHole(Sequence through) {
  hole_.store(through.value(), std::memory_order_release);
  wake_log_();
}

size_t ShardLog::queued_bytes() const {
  // What was written first: it never exceeds what was appended by then.
  const uint64_t written = written_bytes_.load(std::memory_order_acquire);
  return appended_bytes_.load(std::memory_order_relaxed) - written;
}

int ShardLog::utilisation_percent() const {
  return static_cast<int>(std::min<uint64_t>(queued_bytes() * 100 / max_bytes_, 1'000'000));
}

void ShardLog::NotifyWhenDurable() {
  wants_notice_.store(true, std::memory_order_relaxed);
  // The caller looks at durable after this; the log thread moves it, fences and looks at the flag:
  // one of the two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool ShardLog::TakeNotice() {
  return wants_notice_.load(std::memory_order_relaxed) &&
         wants_notice_.exchange(false, std::memory_order_relaxed);
}

bool ShardLog::TakeSpilled() {
  return spilled_.load(std::memory_order_relaxed) &&
         spilled_.exchange(false, std::memory_order_relaxed);
}

}  // namespace tidemark::wal
