#include "replication/subscriber.h"

#include <algorithm>

#include "base/check.h"

namespace tidemark::replication {

std::string_view CutCauseName(CutCause cause) {
  switch (cause) {
    case CutCause::kNone:
      return "none";
    case CutCause::kTooManyFrames:
      return "too-many-frames";
    case CutCause::kTooManyBytes:
      return "too-many-bytes";
    case CutCause::kStreamBroken:
      return "stream-broken";
    case CutCause::kClosed:
      return "closed";
    case CutCause::kNewStream:
      return "new-stream";
  }
  return "unknown";
}

Subscriber::Subscriber(const Options& options, LinkWaker* waker)
    : options_(options), waker_(waker) {
  for (int shard = 0; shard < options.shard_count; ++shard) {
    queues_.push_back(std::make_unique<SubscriberQueue>(options.max_frames));
  }
}

bool Subscriber::Cut(CutCause cause) {
  CutCause none = CutCause::kNone;
  if (!cause_.compare_exchange_strong(none, cause, std::memory_order_acq_rel)) return false;
  waker_->Wake();
  return true;
}

void Subscriber::Open(ShardId shard, std::vector<FrameRef> first) {
  queues_[shard.value()]->Open(std::move(first));
}

Subscriber::PushResult Subscriber::Push(ShardId shard, FrameRef frame, size_t counted_bytes) {
  if (!active()) return PushResult::kCutBefore;
  // Before the frame is counted: a frame larger than the bound must get through, or its reader
  // never would.
  if (counted_bytes > 0 && this->counted_bytes() >= options_.max_bytes) {
    return Cut(CutCause::kTooManyBytes) ? PushResult::kCutNow : PushResult::kCutBefore;
  }
  // Counted before it can be popped, so that the counts never go below zero.
  const size_t uncounted_bytes = frame->bytes().size() - counted_bytes;
  counted_bytes_.fetch_add(counted_bytes, std::memory_order_relaxed);
  if (uncounted_bytes > 0) uncounted_bytes_.fetch_add(uncounted_bytes, std::memory_order_relaxed);
  if (!queues_[shard.value()]->TryPush({.frame = std::move(frame),
                                        .counted_bytes = counted_bytes,
                                        .uncounted_bytes = uncounted_bytes})) {
    counted_bytes_.fetch_sub(counted_bytes, std::memory_order_relaxed);
    uncounted_bytes_.fetch_sub(uncounted_bytes, std::memory_order_relaxed);
    return Cut(CutCause::kTooManyFrames) ? PushResult::kCutNow : PushResult::kCutBefore;
  }
  const size_t queued = queued_bytes();
  size_t high = high_bytes_.load(std::memory_order_relaxed);
  while (queued > high &&
         !high_bytes_.compare_exchange_weak(high, queued, std::memory_order_relaxed)) {
  }
  return PushResult::kPushed;
}

void Subscriber::Signal() {
  // Acquire and release on both sides: who draws the flag sees what was pushed before each setting
  // of it.
  if (!signalled_.exchange(true, std::memory_order_acq_rel)) waker_->Wake();
}

void Subscriber::BeginDrain() { signalled_.exchange(false, std::memory_order_acq_rel); }

bool Subscriber::TakesChunks(const SubscriberQueue& queue) const {
  const size_t chunks = uncounted_bytes_.load(std::memory_order_seq_cst);
  const size_t queued = counted_bytes_.load(std::memory_order_seq_cst) + chunks;
  return chunks < options_.walk_bytes * queues_.size() && queued * 2 < options_.max_bytes &&
         queue.size() * 2 < queue.max_frames();
}

bool Subscriber::HasRoom(ShardId shard) {
  SubscriberQueue& queue = *queues_[shard.value()];
  if (TakesChunks(queue)) return true;
  queue.shard_waits.store(true, std::memory_order_relaxed);
  // Sequentially consistent, as are the counts: either this look sees the room that the link thread
  // made, or the link thread, looking at the flag after it made room, sees the flag.
  any_shard_waits_.store(true, std::memory_order_seq_cst);
  return TakesChunks(queue);
}

void Subscriber::WakeWaitingShards() {
  if (!any_shard_waits_.load(std::memory_order_seq_cst)) return;
  any_shard_waits_.exchange(false,
                            std::memory_order_seq_cst);  // Reads, so that we see shard_waits.
  bool still_waiting = false;
  for (size_t shard = 0; shard < queues_.size(); ++shard) {
    SubscriberQueue& queue = *queues_[shard];
    if (!queue.shard_waits.load(std::memory_order_acquire)) continue;
    if (!TakesChunks(queue)) {
      still_waiting = true;
      continue;
    }
    queue.shard_waits.store(false, std::memory_order_relaxed);
    waker_->WakeShard(ShardId(static_cast<uint16_t>(shard)));
  }
  if (still_waiting) any_shard_waits_.store(true, std::memory_order_seq_cst);
}

FrameRef Subscriber::PopFrom(size_t shard) {
  SubscriberQueue::Item item;
  if (!queues_[shard]->TryPop(&item)) return nullptr;
  counted_bytes_.fetch_sub(item.counted_bytes, std::memory_order_seq_cst);
  if (item.uncounted_bytes > 0) {
    uncounted_bytes_.fetch_sub(item.uncounted_bytes, std::memory_order_seq_cst);
  }
  return std::move(item.frame);
}

bool Subscriber::Drain(size_t max_frames, size_t max_bytes, std::vector<FrameRef>* frames) {
  if (!active()) return false;
  size_t bytes = 0;
  size_t taken = 0;
  size_t empty_in_a_row = 0;
  while (empty_in_a_row < queues_.size() && taken < max_frames && bytes < max_bytes) {
    FrameRef frame = PopFrom(next_shard_);
    next_shard_ = next_shard_ + 1 == queues_.size() ? 0 : next_shard_ + 1;
    if (!frame) {
      ++empty_in_a_row;
      continue;
    }
    empty_in_a_row = 0;
    ++taken;
    bytes += frame->bytes().size();
    frames->push_back(std::move(frame));
  }
  WakeWaitingShards();
  return empty_in_a_row < queues_.size();
}

void Subscriber::DropAll() {
  for (size_t shard = 0; shard < queues_.size(); ++shard) {
    while (PopFrom(shard)) {
    }
  }
}

}  // namespace tidemark::replication
