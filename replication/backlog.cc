#include "replication/backlog.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidemark::replication {

BacklogBudget::BacklogBudget(size_t max_bytes, int shard_count)
    : max_bytes_(max_bytes), fair_share_bytes_(max_bytes / static_cast<size_t>(shard_count)) {}

Backlog::~Backlog() {
  while (!frames_.empty()) EvictOldest();
}

void Backlog::Activate(Sequence last, uint64_t digest) {
  while (!frames_.empty()) EvictOldest();
  active_ = true;
  low_ = high_ = last;
  digest_before_first_ = digest;
}

void Backlog::Append(FrameRef frame) {
  CHECK(active_);
  // A gap would make a later catch-up skip writes in silence. Stop while this primary still holds
  // the truth, rather than hand a reader a stream with a hole in it.
  CHECK(frame->first_sequence() == Next(high_));
  high_ = frame->last_sequence();
  const size_t bytes = frame->memory_bytes();
  bytes_ += bytes;
  frames_.push_back(std::move(frame));
  size_t used = budget_->used_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (used <= budget_->max_bytes_) [[likely]]
    return;
  if (bytes_ <= budget_->fair_share_bytes_) {
    budget_->claimed_.store(true, std::memory_order_relaxed);
  }
  // Whole frames, the newest included if it must be: a reader can resume between frames, not inside
  // one.
  while (used > budget_->max_bytes_ && !frames_.empty()) {
    EvictOldest();
    used = budget_->used_bytes();
  }
}

void Backlog::GiveBackExcess() {
  // Cleared first: a claim that comes meanwhile stays for the next turn.
  budget_->claimed_.store(false, std::memory_order_relaxed);
  while (bytes_ > budget_->fair_share_bytes_) EvictOldest();
}

void Backlog::EvictOldest() {
  const Frame& oldest = *frames_.front();
  low_ = oldest.last_sequence();
  digest_before_first_ = oldest.stream_digest();
  bytes_ -= oldest.memory_bytes();
  budget_->used_bytes_.fetch_sub(oldest.memory_bytes(), std::memory_order_relaxed);
  frames_.pop_front();
}

Backlog::CatchUp Backlog::Since(Sequence applied, std::optional<uint64_t> digest) const {
  CHECK(active_);
  const CatchUp not_ours{.kind = CatchUp::Kind::kNotOurs, .frames = {}};
  if (applied < low_) return {.kind = CatchUp::Kind::kEvicted, .frames = {}};
  if (applied > high_) return not_ours;
  const auto next = std::partition_point(
      frames_.begin(), frames_.end(),
      [&](const FrameRef& frame) { return frame->last_sequence() <= applied; });
  if (digest.has_value()) {
    // A reader with a digest stands between two frames, or it is not a reader of this stream.
    if (next != frames_.end() && (*next)->first_sequence() <= applied) return not_ours;
    const uint64_t ours =
        next == frames_.begin() ? digest_before_first_ : (*std::prev(next))->stream_digest();
    if (*digest != ours) return not_ours;
  }
  if (next == frames_.end()) return {};
  return {.kind = CatchUp::Kind::kFrames, .frames = {next, frames_.end()}};
}

}  // namespace tidemark::replication
