#include "wal/retention.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace tidemark::wal {
namespace {

// Of the segments from `from` on that are below `floor`.
uint64_t BytesKept(const std::vector<SegmentSize>& segments, uint64_t from, uint64_t floor) {
  uint64_t sum = 0;
  for (const SegmentSize& segment : segments) {
    if (segment.number >= from && segment.number < floor) sum += segment.bytes;
  }
  return sum;
}

}  // namespace

Retention::Hold::Hold(Retention& retention, Reader reader, uint64_t segment)
    : retention_(retention), reader_(std::move(reader)), segment_(segment) {}

Retention::Hold::~Hold() {
  const std::lock_guard lock(retention_.mutex_);
  std::erase(retention_.holds_, this);
}

void Retention::Hold::Set(uint64_t segment) {
  // One thread sets. Relaxed: a pruner that sees the older number keeps more than it must.
  if (segment > this->segment()) segment_.store(segment, std::memory_order_relaxed);
}

Retention::~Retention() { CHECK(holds_.empty()); }

std::unique_ptr<Retention::Hold> Retention::Register(Reader reader, uint64_t segment) {
  auto hold = std::unique_ptr<Hold>(new Hold(*this, std::move(reader), segment));
  const std::lock_guard lock(mutex_);
  holds_.push_back(hold.get());
  return hold;
}

uint64_t Retention::LowestNeeded() const {
  uint64_t lowest = std::numeric_limits<uint64_t>::max();
  const std::lock_guard lock(mutex_);
  for (const Hold* hold : holds_) {
    if (!hold->lost()) lowest = std::min(lowest, hold->segment());
  }
  return lowest;
}

uint64_t Retention::Settle(const std::vector<SegmentSize>& segments, uint64_t floor) {
  uint64_t lowest = floor;
  std::vector<std::pair<std::function<void(const LostReader&)>, LostReader>> to_tell;
  {
    const std::lock_guard lock(mutex_);
    for (Hold* hold : holds_) {
      if (hold->lost()) continue;
      const uint64_t segment = hold->segment();
      const uint64_t kept_bytes = BytesKept(segments, segment, floor);
      hold->kept_bytes_.store(kept_bytes, std::memory_order_relaxed);
      if (kept_bytes <= hold->reader_.cap_bytes) {
        lowest = std::min(lowest, segment);
        continue;
      }
      hold->lost_.store(true, std::memory_order_release);
      lost_total_.fetch_add(1, std::memory_order_relaxed);
      to_tell.emplace_back(hold->reader_.on_lost, LostReader{.name = hold->reader_.name,
                                                             .segment = segment,
                                                             .kept_bytes = kept_bytes,
                                                             .cap_bytes = hold->reader_.cap_bytes});
    }
  }
  for (const auto& [on_lost, reader] : to_tell) {
    if (on_lost != nullptr) on_lost(reader);
  }
  return lowest;
}

std::vector<Retention::View> Retention::Readers() const {
  std::vector<View> views;
  const std::lock_guard lock(mutex_);
  for (const Hold* hold : holds_) {
    views.push_back({.name = hold->reader_.name,
                     .segment = hold->segment(),
                     .kept_bytes = hold->kept_bytes_.load(std::memory_order_relaxed),
                     .cap_bytes = hold->reader_.cap_bytes,
                     .lost = hold->lost()});
  }
  return views;
}

}  // namespace tidemark::wal
