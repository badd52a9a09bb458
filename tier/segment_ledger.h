// SegmentLedger keeps the books of the value log: which segments there are, how much of each is
// live, where the next record goes, which segment is to be reclaimed, and what fits within the
// bound. It is the core of SegmentStore, which does to files what is decided here.
//
// Two lanes. Demoted values and survivors (values that reclaim moves) are written to segments of
// their own. A survivor has proved to live long; kept apart, survivors fill segments that stay
// dense, and are not copied again and again together with values that die young.
//
// The bound. All files together never exceed max_bytes; an open segment counts with its full length
// S. A demotion may open a segment only if two more fit behind it, beside the survivors' open one,
// for reclaim needs room before it makes some. Two are enough, whatever the sizes of records:
// counting without the survivors' open segment, reclaim adds what that one held when demotions last
// opened one (at most S, and only if it was open), and the part of the present victim that has been
// moved (at most S); every earlier victim gave back more than was moved out of it. So there is
// always a third S left to open the next. Victims that cannot be emptied, and files that readers
// hold, take from this.
//
// What to reclaim. The sealed segment with the smallest live share, if that is at most
// MaxLivePercent(fill): with much room left only what is nearly all garbage is worth its copying;
// the fuller the log, the more copying a byte is worth. (Greedy, by fill: Rosenblum and Ousterhout,
// "The Design and Implementation of a Log-Structured File System", 1992, section 3.5.)
//
// Threading: one thread at a time (SegmentStore holds its lock). No I/O, no clock.

#ifndef TIDEMARK_TIER_SEGMENT_LEDGER_H_
#define TIDEMARK_TIER_SEGMENT_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "tier/value_location.h"

namespace tidemark::tier {

enum class Lane : uint8_t { kDemotions = 0, kSurvivors = 1 };

// The share of a segment that may be live for it to be reclaimed, in percent, when the log is
// `fill_percent` full (of what demotions may use).
constexpr uint64_t MaxLivePercent(uint64_t fill_percent) {
  if (fill_percent < 50) return 20;
  if (fill_percent >= 90) return 95;
  return 20 + (fill_percent - 50) * 75 / 40;
}

class SegmentLedger {
 public:
  struct Options {
    uint64_t max_bytes = 0;
    uint64_t segment_bytes = 0;  // Below 2^32.
  };
  // Requires: segment_bytes > kValueSegmentHeaderBytes, max_bytes >= kLeastSegments *
  // segment_bytes.
  static constexpr uint64_t kLeastSegments = 8;
  explicit SegmentLedger(const Options& options) : options_(options) {}

  // --- Writing. ---

  // Whether a record of `bytes` has a place in an open segment of the lane, after `planned_bytes`
  // that are to be committed before it.
  bool Fits(Lane lane, uint64_t planned_bytes, uint64_t bytes) const;
  // Room for one more segment of the lane.
  bool MayCreate(Lane lane) const;
  // Opens the next segment of the lane, whose first `header_bytes` are taken. Requires:
  // MayCreate(lane), and that the lane has none open.
  uint32_t Create(Lane lane, uint64_t header_bytes);
  // The lane's open segment, and where its next record goes; nullopt: none is open.
  struct End {
    uint32_t segment = 0;
    uint32_t offset = 0;
  };
  std::optional<End> EndOf(Lane lane) const;
  // `bytes` with `records` were written at the end of the open segment; all are live.
  void Commit(Lane lane, uint64_t bytes, uint64_t records);
  // Nothing more goes into the open segment; its file is cut to what was committed.
  void Seal(Lane lane);

  // --- Garbage. ---

  // A record is live no longer. True: this made its segment empty, or due to be reclaimed.
  // Requires: it was live.
  bool Free(ValueLocation location);
  // A sealed segment without live records: its file may go. nullopt: none.
  std::optional<uint32_t> FindEmpty() const;
  // It is gone from the books; its bytes count until ReleaseBytes(), for somebody may still read
  // it. Returns how many those are.
  uint64_t Remove(uint32_t segment);
  void ReleaseBytes(uint64_t bytes) { removed_bytes_ -= bytes; }

  // The segment to reclaim next; nullopt: none is worth it.
  std::optional<uint32_t> FindVictim() const;
  // What stands in the segment: bytes [header, end).
  uint64_t EndBytes(uint32_t segment) const { return segments_.at(segment).end_bytes; }
  // Reclaim is through with it and something live is still there: it could not be read, or not be
  // moved. `for_good`: it is never a victim again, and goes when what is there is freed.
  void GiveUp(uint32_t segment, bool for_good);
  // Those given up, but not for good, may be victims again.
  void Reconsider();

  bool Contains(uint32_t segment) const { return segments_.contains(segment); }

  struct Totals {
    uint64_t file_bytes = 0;
    uint64_t live_bytes = 0;
    uint64_t live_values = 0;
    uint64_t garbage_bytes = 0;
    uint64_t reclaim_debt_bytes = 0;
    uint64_t segments = 0;
    uint64_t damaged_segments = 0;
  };
  Totals totals() const;

 private:
  struct Segment {
    uint64_t end_bytes = 0;  // Committed.
    uint64_t live_bytes = 0;
    uint64_t live_records = 0;
    bool open = true;
    bool given_up = false;
    bool damaged = false;
  };

  uint64_t FileBytes() const { return open_bytes_ + sealed_bytes_ + removed_bytes_; }
  uint64_t FillPercent() const;
  bool IsDue(const Segment& segment, uint64_t max_live_percent) const;

  const Options options_;
  uint32_t next_segment_ = 1;
  std::map<uint32_t, Segment> segments_;   // By number.
  std::array<uint32_t, 2> open_ = {0, 0};  // By lane; 0: none.
  uint64_t open_bytes_ = 0;                // Files' full lengths.
  uint64_t sealed_bytes_ = 0;
  uint64_t removed_bytes_ = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_SEGMENT_LEDGER_H_
