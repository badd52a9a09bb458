// LogReplay reads the legs of a recovery's plan, checks what only the frames can show, and hands a
// RecoverySink the records that count: those that the snapshot has not, of no void part of a
// history, up to the log's largest consistent cut.
//
// Threading: one thread at a time; blocks on the disk and the sink. Changes nothing on disk.

#ifndef TIDEMARK_WAL_LOG_REPLAY_H_
#define TIDEMARK_WAL_LOG_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/positions.h"
#include "wal/recovery.h"
#include "wal/recovery_plan.h"
#include "wal/segment_reader.h"

namespace tidemark::wal {

// How the newest segment ends.
struct SegmentEnd {
  bool sealed = false;
  uint64_t end_bytes = 0;   // Of the whole items.
  uint64_t torn_bytes = 0;  // After them.
  uint64_t frames = 0;
  Positions after;  // The last whole item.
};

class LogReplay {
 public:
  struct Options {
    // Of the last of `segments`. kSealed where a later one was begun and never written in.
    SegmentTail newest_tail = SegmentTail::kMayBeTorn;
    size_t max_window_bytes = 64 << 20;
    RecoveryProgress* progress = nullptr;  // Borrowed; may be null.
  };
  // All borrowed.
  LogReplay(const DataDirectory& directory, const std::vector<SegmentInfo>& segments,
            RecoverySink& sink, const Options& options)
      : directory_(directory), segments_(segments), sink_(sink), options_(options) {}

  // DataLoss: damage, or a contradiction between segments, snapshot and manifest. Other errors are
  // the disk's or the sink's.
  absl::Status Run(const RecoveryPlan& plan);

  // Of the last leg: up to where records were handed over, and how far the log goes. The first is
  // the consistent cut of the second.
  const Positions& reached() const { return reached_; }
  // The newest ends of frames at or below reached().
  const Positions& borders() const { return borders_; }
  const Positions& log_end() const { return stream_; }
  // Of the last segment of the plan; none if it has no leg.
  const std::optional<SegmentEnd>& newest() const { return newest_; }

  uint64_t records() const { return records_; }
  uint64_t segments_read() const { return segments_read_; }

 private:
  using OnFrame = absl::FunctionRef<absl::Status(FrameRef, uint64_t digest_before, LogPosition)>;

  absl::Status RunLeg(const ReplayLeg& leg);
  // A leg whose end is known, or the part of one from `from` on.
  absl::Status DeliverThrough(const ReplayLeg& leg, const Watermarks& end, LogPosition from);
  absl::Status DeliverOpenLeg(const ReplayLeg& leg);
  // Calls `on_frame` for the leg's frames that begin at `from` or later.
  absl::Status ReadLeg(const ReplayLeg& leg, LogPosition from, OnFrame on_frame);
  absl::Status ReadSegment(const SegmentInfo& segment, bool newest, LogPosition from,
                           OnFrame on_frame);
  // Hands over those of the records that the sink does not have.
  absl::Status Deliver(const ReplayLeg& leg, FrameRef frame, uint64_t digest_before, Sequence from,
                       Sequence through);
  absl::Status CheckWatermark(const ReplayLeg& leg, const Frame& frame, uint64_t digest_before);
  absl::Status CheckEnd(const ReplayLeg& leg) const;
  void Count(const SegmentInfo& segment, uint64_t end_bytes);

  const DataDirectory& directory_;
  const std::vector<SegmentInfo>& segments_;
  RecoverySink& sink_;
  const Options options_;

  Positions stream_;   // After the frames read.
  Positions reached_;  // After the records that the sink has.
  Positions borders_;
  std::optional<SegmentEnd> newest_;
  uint64_t records_ = 0;
  uint64_t segments_read_ = 0;
  LogPosition counted_;  // For progress: what is before was counted.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_LOG_REPLAY_H_
