// SegmentReader reads one segment of the log, frame by frame, and tells a torn end from damage.
//
//   auto reader = SegmentReader::Open(disk, path, {.directory = id, .number = n, .tail = kSealed});
//   while (true) {
//     absl::StatusOr<std::optional<SegmentReader::Item>> item = (*reader)->Next();
//     if (!item.ok()) return item.status();        // Names the file and the byte.
//     if (!item->has_value()) break;               // sealed(), end_bytes(), torn_bytes() say how.
//     Replay((*item)->frame);
//   }
//
// It checks all that a segment can be checked for: checksums, that every shard's sequences and
// digest go on from the header's to the footer's, that all frames are of the header's history.
// Compressed frames come out decompressed.
//
// What follows the last whole item depends on which segment it is (SegmentTail); the rule, and why
// marks tell a tear from damage, is in docs/formats/segment.md, "Torn or damaged".
//
// Threading: one thread at a time; blocks on the disk.
// Memory: a block of a little over kReadBytes, and the frame under way.

#ifndef TIDEMARK_WAL_SEGMENT_READER_H_
#define TIDEMARK_WAL_SEGMENT_READER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/format/frame_decoder.h"
#include "wal/disk/disk.h"
#include "wal/format/segment.h"
#include "wal/positions.h"

namespace tidemark::wal {

enum class SegmentTail {
  // Another segment follows: it must end with its footer.
  kSealed,
  // The newest after a stop of any kind: its end, and even its header, may be torn.
  kMayBeTorn,
  // Being written by this process: it holds whole items up to a limit that the caller raises, and
  // is
  // not looked at beyond.
  kGrowing,
};

class SegmentReader {
 public:
  struct Expectations {
    DirectoryId directory;
    uint64_t number = 0;
    SegmentTail tail = SegmentTail::kSealed;
    // kGrowing: the first limit, at least the header's length.
    uint64_t limit_bytes = std::numeric_limits<uint64_t>::max();
  };
  //   FailedPrecondition  the segment of another directory, or under another's name
  //   InvalidArgument     written by a newer version
  //   DataLoss            the header is damaged
  // and the errors of Disk.
  static absl::StatusOr<std::unique_ptr<SegmentReader>> Open(Disk& disk, const std::string& path,
                                                             const Expectations& expected);
  ~SegmentReader();

  // Null if even the header is torn: then nothing was promised about this segment, Next() has no
  // frames, and the file may go.
  const SegmentHeader* header() const { return header_.has_value() ? &*header_ : nullptr; }

  struct Item {
    FrameRef frame;
    uint64_t offset = 0;  // Where in the segment it begins.
  };
  // The next frame; none at the end, or, with kGrowing, at the limit for now.
  // Errors as of Open(); every later call repeats the first.
  absl::StatusOr<std::optional<Item>> Next();

  // kGrowing: the segment now holds whole items up to here. Never less than before.
  void set_limit_bytes(uint64_t limit_bytes);

  // Where each shard's stream stands after the frames returned so far.
  const Positions& positions() const { return positions_; }
  uint64_t frames() const { return frames_; }
  // Where the next item begins; at the end: where the whole items, the footer included, end.
  uint64_t end_bytes() const { return offset_; }

  // Good once Next() has returned none:
  bool sealed() const { return sealed_; }  // The footer was read.
  // kMayBeTorn: bytes from end_bytes() to the last one that is not zero: what a cut there discards.
  uint64_t torn_bytes() const { return torn_bytes_; }

  static constexpr size_t kReadBytes = size_t{1} << 20;

 private:
  SegmentReader(std::unique_ptr<File> file, std::string path, const Expectations& expected);

  absl::Status ReadHeader();
  // Brings the window to at least `bytes` if the file, below the limit, has them.
  absl::Status Fill(size_t bytes);
  std::string_view window() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void Consume(size_t bytes);

  // Null: nothing whole stood there, and that is the end.
  absl::StatusOr<FrameRef> TakeFrame();
  absl::StatusOr<FrameRef> NoFrame(std::string_view why);
  absl::Status CheckContinues(const Frame& frame, uint64_t offset);
  absl::Status TakeMark();
  absl::Status TakeFooter();
  // Nothing whole stands at offset_, and `why` it is not. OK: that is the end.
  absl::Status EndHere(std::string_view why);
  MarkPlace Here() const;

  absl::Status Damaged(uint64_t offset, std::string_view problem) const;
  absl::Status Fail(absl::Status status);

  const std::unique_ptr<File> file_;
  const std::string path_;
  const Expectations expected_;
  uint64_t limit_bytes_;

  std::optional<SegmentHeader> header_;
  Positions positions_;
  uint64_t frames_ = 0;
  uint64_t offset_ = 0;  // Of the window's first byte.
  bool ended_ = false;
  bool sealed_ = false;
  uint64_t torn_bytes_ = 0;
  absl::Status failure_;

  std::unique_ptr<char[]> buffer_;
  size_t begin_ = 0;  // The window within buffer_.
  size_t end_ = 0;
  FrameDecoder decoder_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SEGMENT_READER_H_
