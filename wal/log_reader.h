// LogReader reads the log from any position that is still on disk, through all segments and
// histories, into the live tail: what an exporter, or a replica that fell behind, goes on from.
//
//   auto reader = LogReader::Open(directory, &log, history, after);   // NotFound: pruned.
//   while (true) {
//     auto item = (*reader)->Next();
//     if (!item.ok()) ...;                    // DataLoss or NotFound; every later call repeats it.
//     if (!item->has_value()) break;          // Nothing more is durable: ask again when it moved
//                                             // (Log::AddListener).
//     Send((*item)->frame, (*item)->after, (*item)->through);
//   }
//
// It shows whole frames in the order of the log, each only once `durable` of its shard has reached
// its last sequence: what it showed, no crash takes back. (`durable` may end within a frame, behind
// a transaction that is not whole yet: the frame waits.) A reader that may see what a crash takes
// back, as a replica does, which has seen it live, asks for kWritten instead.
//
// Histories: where the history it reads has ended, it goes on with the child: from the fork, or
// from 0 if the child has another number of shards; history() and position() then change. What the
// parent has beyond its end is void and passed over.
//
// Live: near the end frames come from the log's memory (LogTail), farther back from the segments;
// it changes over by itself, both ways.
//
// Threading: one thread at a time; Next() may block on the disk.
// Ownership: borrows the directory and the log, which outlive it.

#ifndef TIDEMARK_WAL_LOG_READER_H_
#define TIDEMARK_WAL_LOG_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/live_log.h"
#include "wal/log_tail.h"
#include "wal/manifest.h"
#include "wal/positions.h"
#include "wal/segment_reader.h"

namespace tidemark::wal {

// Records that a position needs and that are no longer there.
struct LostRecords {
  ShardId shard;
  Sequence first;
  Sequence last;
};

class LogReader {
 public:
  enum class Shows : uint8_t { kDurable, kWritten };

  // Reads what follows `after`, one sequence for each shard of `history`.
  // `log`: the one that writes the directory; null: nobody does, and the end of the files is the
  // end.
  //   InvalidArgument     `after` has not as many shards as the history
  //   FailedPrecondition  a history that is not one of this directory's, or a position beyond the
  //                       end of it, or beyond what is durable (with kWritten: it is not looked
  //                       at how far the newest history has come)
  //   NotFound            retention has taken what follows; names shards and sequences, which
  //                       *lost (if not null) has as numbers
  //   DataLoss            a segment is damaged or missing
  static absl::StatusOr<std::unique_ptr<LogReader>> Open(const DataDirectory& directory,
                                                         const LiveLog* log, HistoryId history,
                                                         Watermarks after,
                                                         std::vector<LostRecords>* lost = nullptr,
                                                         Shows shows = Shows::kDurable);
  ~LogReader();

  struct Item {
    FrameRef frame;    // Not compressed.
    Sequence after;    // Its records at or below this one the reader had before; often none.
    Sequence through;  // Its records above this one are void; nearly always its last.
    LogPosition position;
  };
  // The next frame; none: nothing more is to be shown for now. NotFound: retention took the segment
  // before it was read.
  absl::StatusOr<std::optional<Item>> Next();

  // What the frames so far, and what came before them, reach: give it to Open() to go on from here.
  HistoryId history() const { return history_; }
  const Watermarks& position() const { return position_; }
  // The segment that is read now: retention must keep it and those after it.
  uint64_t segment() const { return at_.segment; }

 private:
  LogReader(const DataDirectory& directory, const LiveLog* log, HistoryId history, Watermarks after,
            Shows shows);

  // What was found at a place; no frame: the place has changed, look again.
  struct Read {
    FrameRef frame;
    LogPosition position;
  };

  absl::Status CheckStart() const;
  // While position_ is at the end of its history: goes on with the child.
  void FollowForks();
  // Whether it is the one that log_ writes.
  bool IsLive(HistoryId history) const;
  // How many generations it is behind the newest.
  size_t Age(HistoryId history) const;

  // What a reader must have before it reads that segment: what is before it and is not void.
  Watermarks NeededBefore(const SegmentHeader& header) const;
  // Finds where to begin, or to go on.
  absl::Status Seek(std::vector<LostRecords>* lost);
  // The error that says what is missing up to `available_after`.
  absl::Status Lost(const Watermarks& available_after, std::vector<LostRecords>* lost);
  // Sets growing_.
  absl::StatusOr<std::unique_ptr<SegmentReader>> OpenSegment(uint64_t number);
  absl::StatusOr<std::optional<uint64_t>> SegmentAfter(uint64_t number) const;

  // The next frame that matters, to be shown or not.
  absl::StatusOr<std::optional<Item>> NextWritten();
  // Each: none if nothing follows for now.
  absl::StatusOr<std::optional<Read>> ReadTail();
  absl::StatusOr<std::optional<Read>> ReadSegment();
  absl::StatusOr<std::optional<Read>> AtGrowingEnd();
  absl::StatusOr<std::optional<Read>> AtSegmentEnd();
  absl::StatusOr<std::optional<Read>> SegmentIsGone();
  // What of a frame to show, if anything.
  absl::StatusOr<std::optional<Item>> Sift(const Read& read);
  bool MayBeShown(const Item& item) const;
  absl::Status Gap(const Read& read, std::string_view problem) const;

  const DataDirectory& directory_;
  const LiveLog* const log_;
  const Shows shows_;
  const Manifest manifest_;
  HistoryId history_;
  Watermarks position_;
  LogPosition at_;  // Where the next item is looked for.
  absl::Status failure_;
  std::optional<Item> held_;  // The next one, not to be shown yet.

  // From memory: the number of the next entry, and some that were fetched.
  std::optional<uint64_t> tail_index_;
  std::vector<LogTail::Entry> fetched_;
  size_t next_fetched_ = 0;

  std::unique_ptr<SegmentReader> segment_;  // From disk; the one at `at_`.
  bool growing_ = false;                    // It was opened as one that is being written.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_LOG_READER_H_
