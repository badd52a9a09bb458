// SegmentWriter writes one segment of the log: header, items, footer, each where the format wants
// it (docs/formats/segment.md).
//
//   auto segment = SegmentWriter::Create(directory, header, {.segment_bytes = 64 << 20});
//   (*segment)->Write(frames, now_ms);   // A mark first, if anything was synced since the last.
//   (*segment)->Sync();
//   (*segment)->Seal(now_ms);            // Then the next one may be created.
//
// Nothing here retries. After an error of Write() or Seal() nothing has moved and the call may be
// made again: it writes over what the failed one may have left. After an error of Sync() what
// is on disk is unknown for good (disk.h): the caller must not go on with this log.
//
// Threading: confined to the log thread; every call blocks on the disk.
// Ownership: owns the file; borrows the frames of a call.

#ifndef TIDEMARK_WAL_SEGMENT_WRITER_H_
#define TIDEMARK_WAL_SEGMENT_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "wal/data_directory.h"
#include "wal/disk/disk.h"
#include "wal/format/segment.h"

namespace tidemark::wal {

class SegmentWriter {
 public:
  // The file, with space for `segment_bytes`, its header and its name in the directory, all
  // durable.
  //   ResourceExhausted  there is no room; as after any error, no file is left if that can be
  //   helped AlreadyExists      the number is taken: never written over
  static absl::StatusOr<std::unique_ptr<SegmentWriter>> Create(const DataDirectory& directory,
                                                               const SegmentHeader& header,
                                                               uint64_t segment_bytes);

  // Whether `bytes` of frames still fit before the segment is as long as it was meant to be, a mark
  // and the footer counted. A frame that fits no segment goes into one of its own, which grows.
  bool HasRoomFor(uint64_t bytes) const {
    return end_ + kMarkBytes + bytes + footer_bytes_ <= segment_bytes_;
  }
  bool empty() const { return frames_ == 0; }

  // Writes the frames after what is there. Requires: there is at least one; each is of the header's
  // history and continues its shard's stream. Compressed ones are written as they are.
  absl::Status Write(std::span<const Frame* const> frames, int64_t now_ms);
  // Writes zeros, `ahead_bytes` at least, behind what is there and the `bytes` that are about to
  // come, unless earlier ones reach so far; no further than the segment was meant to. Blocks that
  // were only reserved must be entered in the file system's journal when they are first written,
  // which a sync then waits for; blocks with zeros are simply written over. The bytes cost the disk
  // twice, so this is for who syncs often.
  absl::Status ZeroAhead(uint64_t bytes, uint64_t ahead_bytes);
  // Makes all that was written durable.
  absl::Status Sync();
  // Footer, length, fsync: nothing can be written after it. After an error of the final sync,
  // sync_failed() tells it from one that may be retried.
  absl::Status Seal(int64_t now_ms);

  // Where the frame that the latest Write() put first begins; the others follow without gaps.
  uint64_t first_offset() const { return first_offset_; }
  uint64_t end_bytes() const { return end_; }        // Where the next item goes.
  uint64_t synced_to() const { return synced_to_; }  // What is below is durable.
  uint64_t number() const { return place_.number; }
  bool sealed() const { return sealed_; }
  bool sync_failed() const { return sync_failed_; }
  // Where each shard's stream stands after what was written.
  const Positions& positions() const { return positions_; }

 private:
  SegmentWriter(std::unique_ptr<File> file, std::string path, const SegmentHeader& header,
                uint64_t segment_bytes);

  const std::unique_ptr<File> file_;
  const std::string path_;
  const MarkPlace place_;
  const HistoryId history_;
  const uint64_t segment_bytes_;
  const uint64_t footer_bytes_;
  Positions positions_;
  uint64_t frames_ = 0;
  uint64_t end_;
  uint64_t zeroed_to_ = 0;
  uint64_t synced_to_;
  uint64_t first_offset_ = 0;
  bool mark_due_ = false;
  bool sealed_ = false;
  bool sync_failed_ = false;
  std::vector<std::string_view> pieces_;  // Of one call; kept for its memory.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SEGMENT_WRITER_H_
