#include "tier/segment_ledger.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace tidemark::tier {
namespace {

constexpr uint64_t kSurvivorSegments = 2;

size_t Index(Lane lane) { return static_cast<size_t>(lane); }

}  // namespace

bool SegmentLedger::Fits(Lane lane, uint64_t planned_bytes, uint64_t bytes) const {
  const uint32_t number = open_[Index(lane)];
  if (number == 0) return false;
  return segments_.at(number).end_bytes + planned_bytes + bytes <= options_.segment_bytes;
}

bool SegmentLedger::MayCreate(Lane lane) const {
  if (next_segment_ == std::numeric_limits<uint32_t>::max()) return false;
  const uint64_t reserved =
      lane == Lane::kDemotions ? kSurvivorSegments * options_.segment_bytes : 0;
  return FileBytes() + options_.segment_bytes + reserved <= options_.max_bytes;
}

uint32_t SegmentLedger::Create(Lane lane, uint64_t header_bytes) {
  CHECK(MayCreate(lane) && open_[Index(lane)] == 0);
  const uint32_t number = next_segment_++;
  segments_[number].end_bytes = header_bytes;
  open_[Index(lane)] = number;
  open_bytes_ += options_.segment_bytes;
  return number;
}

std::optional<SegmentLedger::End> SegmentLedger::EndOf(Lane lane) const {
  const uint32_t number = open_[Index(lane)];
  if (number == 0) return std::nullopt;
  return End{number, static_cast<uint32_t>(segments_.at(number).end_bytes)};
}

void SegmentLedger::Commit(Lane lane, uint64_t bytes, uint64_t records) {
  Segment& segment = segments_.at(open_[Index(lane)]);
  segment.end_bytes += bytes;
  segment.live_bytes += bytes;
  segment.live_records += records;
  CHECK(segment.end_bytes <= options_.segment_bytes);
}

void SegmentLedger::Seal(Lane lane) {
  Segment& segment = segments_.at(open_[Index(lane)]);
  segment.open = false;
  open_[Index(lane)] = 0;
  open_bytes_ -= options_.segment_bytes;
  sealed_bytes_ += segment.end_bytes;
}

bool SegmentLedger::Free(ValueLocation location) {
  const auto found = segments_.find(location.segment);
  // Were it not live, another value's bytes would be taken for garbage and deleted.
  CHECK(found != segments_.end() && found->second.live_records > 0 &&
        found->second.live_bytes >= location.bytes);
  Segment& segment = found->second;
  const uint64_t max_live_percent = MaxLivePercent(FillPercent());
  const bool was_due = IsDue(segment, max_live_percent);
  segment.live_bytes -= location.bytes;
  --segment.live_records;
  CHECK((segment.live_records == 0) == (segment.live_bytes == 0));
  if (segment.open) return false;
  return segment.live_records == 0 || (!was_due && IsDue(segment, max_live_percent));
}

std::optional<uint32_t> SegmentLedger::FindEmpty() const {
  for (const auto& [number, segment] : segments_) {
    if (!segment.open && segment.live_records == 0) return number;
  }
  return std::nullopt;
}

uint64_t SegmentLedger::Remove(uint32_t segment) {
  const auto found = segments_.find(segment);
  CHECK(found != segments_.end() && !found->second.open && found->second.live_records == 0);
  const uint64_t bytes = found->second.end_bytes;
  sealed_bytes_ -= bytes;
  removed_bytes_ += bytes;
  segments_.erase(found);
  return bytes;
}

uint64_t SegmentLedger::FillPercent() const {
  // Full is where demotions are refused.
  const uint64_t usable = options_.max_bytes - (kSurvivorSegments + 1) * options_.segment_bytes;
  return FileBytes() * 100 / usable;
}

bool SegmentLedger::IsDue(const Segment& segment, uint64_t max_live_percent) const {
  if (segment.open || segment.given_up || segment.live_records == 0) return false;
  return segment.live_bytes * 100 <= segment.end_bytes * max_live_percent;
}

std::optional<uint32_t> SegmentLedger::FindVictim() const {
  const uint64_t max_live_percent = MaxLivePercent(FillPercent());
  std::optional<uint32_t> victim;
  uint64_t least_live = 0;  // In 1/1024 of its length.
  for (const auto& [number, segment] : segments_) {
    if (!IsDue(segment, max_live_percent)) continue;
    const uint64_t live = segment.live_bytes * 1024 / segment.end_bytes;
    if (victim && live >= least_live) continue;  // Of equals the oldest.
    victim = number;
    least_live = live;
  }
  return victim;
}

void SegmentLedger::GiveUp(uint32_t segment, bool for_good) {
  const auto found = segments_.find(segment);
  if (found == segments_.end()) return;
  found->second.given_up = true;
  found->second.damaged |= for_good;
}

void SegmentLedger::Reconsider() {
  for (auto& [number, segment] : segments_) segment.given_up = segment.damaged;
}

SegmentLedger::Totals SegmentLedger::totals() const {
  const uint64_t max_live_percent = MaxLivePercent(FillPercent());
  Totals totals = {.file_bytes = FileBytes(), .segments = segments_.size()};
  for (const auto& [number, segment] : segments_) {
    totals.live_bytes += segment.live_bytes;
    totals.live_values += segment.live_records;
    totals.garbage_bytes += segment.end_bytes - segment.live_bytes;
    if (IsDue(segment, max_live_percent)) totals.reclaim_debt_bytes += segment.live_bytes;
    if (segment.damaged) ++totals.damaged_segments;
  }
  return totals;
}

}  // namespace tidemark::tier
