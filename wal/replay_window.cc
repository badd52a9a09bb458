#include "wal/replay_window.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidemark::wal {
namespace {

// Computing a cut costs more than a frame. Frames wait for this many bytes' worth of others, or for
// the end.
constexpr size_t kBytesBetweenLooks = 256 << 10;

}  // namespace

ReplayWindow::ReplayWindow(Watermarks base, size_t max_bytes)
    : max_bytes_(max_bytes), cut_(std::move(base)), held_(cut_.cut().size()) {
  next_shard_ = held_.size();
}

absl::Status ReplayWindow::Add(FrameRef frame, uint64_t digest_before, LogPosition at) {
  CHECK(!through_.has_value());
  const size_t shard = frame->shard().value();
  const Sequence first = frame->first_sequence();
  const Sequence last = frame->last_sequence();
  if (const absl::Status status = cut_.Add(*frame); !status.ok()) return status;
  if (!reread_from_.has_value() && held_frames_ == 0 && cut_.pending_parts() == 0) {
    through_ = Part{std::move(frame), digest_before, first, last};
    return absl::OkStatus();
  }
  const size_t bytes = frame->memory_bytes();
  bytes_since_look_ += bytes;
  if (!reread_from_.has_value()) {
    held_bytes_ += bytes;
    ++held_frames_;
    held_[shard].push_back({std::move(frame), digest_before, first, at});
  }
  if (bytes_since_look_ >= std::min(kBytesBetweenLooks, max_bytes_)) Look();
  return absl::OkStatus();
}

void ReplayWindow::Look() {
  bytes_since_look_ = 0;
  cut_.Cut(cut_.added());
  if (reread_from_.has_value()) return;
  next_shard_ = 0;
}

std::optional<ReplayWindow::Part> ReplayWindow::TakeReady() {
  if (through_.has_value()) return std::exchange(through_, std::nullopt);
  for (; next_shard_ < held_.size(); ++next_shard_) {
    std::deque<Held>& held = held_[next_shard_];
    if (held.empty()) continue;
    Held& front = held.front();
    const Sequence through = std::min(front.frame->last_sequence(), cut_.cut()[next_shard_]);
    if (through < front.next) continue;
    Part part{front.frame, front.digest_before, front.next, through};
    front.next = Next(through);
    if (through == front.frame->last_sequence()) {
      held_bytes_ -= front.frame->memory_bytes();
      --held_frames_;
      held.pop_front();
    }
    return part;
  }
  if (held_bytes_ > max_bytes_) LetGo();
  return std::nullopt;
}

void ReplayWindow::LetGo() {
  for (std::deque<Held>& held : held_) {
    if (held.empty()) continue;
    if (!reread_from_.has_value() || held.front().at < *reread_from_) {
      reread_from_ = held.front().at;
    }
    held.clear();
  }
  held_bytes_ = 0;
  held_frames_ = 0;
}

}  // namespace tidemark::wal
