#include "wal/segment_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"
#include "wal/tear_scan.h"

namespace tidemark::wal {
namespace {

// A frame up to this size is brought into the window whole and copied from there once; a larger one
// is put together from pieces.
constexpr size_t kWholeInWindowBytes = size_t{64} << 10;
constexpr size_t kBufferBytes = SegmentReader::kReadBytes + kWholeInWindowBytes;
static_assert(kWholeInWindowBytes >= kMaxSegmentHeaderBytes &&
              kWholeInWindowBytes >= FooterBytes(kMaxShards));

// In a frame's header.
constexpr size_t kStoredBytesAt = 60;

std::string Words(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

SegmentReader::SegmentReader(std::unique_ptr<File> file, std::string path,
                             const Expectations& expected)
    : file_(std::move(file)),
      path_(std::move(path)),
      expected_(expected),
      limit_bytes_(expected.tail == SegmentTail::kGrowing ? expected.limit_bytes
                                                          : std::numeric_limits<uint64_t>::max()),
      // Not zeroed: pages that are never read into are never touched.
      buffer_(new char[kBufferBytes]) {}

SegmentReader::~SegmentReader() = default;

absl::StatusOr<std::unique_ptr<SegmentReader>> SegmentReader::Open(Disk& disk,
                                                                   const std::string& path,
                                                                   const Expectations& expected) {
  absl::StatusOr<std::unique_ptr<File>> file = disk.OpenFile(path, Disk::Open::kRead);
  if (!file.ok()) return file.status();
  auto reader = std::unique_ptr<SegmentReader>(new SegmentReader(*std::move(file), path, expected));
  if (absl::Status s = reader->ReadHeader(); !s.ok()) return s;
  return reader;
}

absl::Status SegmentReader::ReadHeader() {
  if (absl::Status s = Fill(kMaxSegmentHeaderBytes); !s.ok()) return s;
  absl::StatusOr<SegmentHeader> header = DecodeSegmentHeader(window());
  if (!header.ok()) {
    if (absl::IsDataLoss(header.status())) return EndHere(Words(header.status()));
    return absl::Status(header.status().code(),
                        fmt::format("{}: {}", path_, Words(header.status())));
  }
  if (header->directory != expected_.directory) {
    return absl::FailedPreconditionError(
        fmt::format("{} belongs to data directory {:016x}, not to this one, {:016x}", path_,
                    header->directory.value(), expected_.directory.value()));
  }
  if (header->number != expected_.number) {
    return absl::FailedPreconditionError(fmt::format("{} is segment {}, not {} as its name says",
                                                     path_, header->number, expected_.number));
  }
  header_ = *std::move(header);
  positions_ = header_->before;
  Consume(SegmentHeaderBytes(positions_.size()));
  return absl::OkStatus();
}

void SegmentReader::set_limit_bytes(uint64_t limit_bytes) {
  CHECK(expected_.tail == SegmentTail::kGrowing && limit_bytes >= limit_bytes_);
  limit_bytes_ = limit_bytes;
}

absl::Status SegmentReader::Fill(size_t bytes) {
  DCHECK(bytes <= kWholeInWindowBytes);
  if (end_ - begin_ >= bytes) return absl::OkStatus();
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  const uint64_t at = offset_ + end_;
  const uint64_t allowed = at < limit_bytes_ ? limit_bytes_ - at : 0;
  const size_t wanted = std::min<uint64_t>(allowed, kBufferBytes - end_);
  if (wanted == 0) return absl::OkStatus();
  const absl::StatusOr<size_t> read = file_->ReadAt(at, wanted, buffer_.get() + end_);
  if (!read.ok()) return read.status();
  end_ += *read;
  return absl::OkStatus();
}

void SegmentReader::Consume(size_t bytes) {
  begin_ += bytes;
  offset_ += bytes;
}

absl::StatusOr<std::optional<SegmentReader::Item>> SegmentReader::Next() {
  if (!failure_.ok()) return failure_;
  while (!ended_ && offset_ < limit_bytes_) {
    if (absl::Status s = Fill(kFrameHeaderBytes); !s.ok()) return Fail(std::move(s));
    const uint32_t magic = window().size() < 4 ? 0 : LoadFixed<uint32_t>(window().data());
    absl::Status status;
    switch (magic) {
      case kFrameMagic: {
        const uint64_t offset = offset_;
        absl::StatusOr<FrameRef> frame = TakeFrame();
        if (frame.ok() && *frame != nullptr) return Item{*std::move(frame), offset};
        status = frame.status();
        break;
      }
      case kMarkMagic:
        status = TakeMark();
        break;
      case kFooterMagic:
        status = TakeFooter();
        break;
      default:
        status = EndHere("neither a frame nor a mark nor a footer");
    }
    if (!status.ok()) return Fail(std::move(status));
  }
  return std::nullopt;
}

absl::StatusOr<FrameRef> SegmentReader::TakeFrame() {
  if (window().size() < kFrameHeaderBytes) return NoFrame("a frame whose header is cut");
  const uint64_t bytes =
      kFrameHeaderBytes + uint64_t{LoadFixed<uint32_t>(window().data() + kStoredBytesAt)};
  if (bytes <= kWholeInWindowBytes) {
    if (absl::Status s = Fill(bytes); !s.ok()) return s;
  }
  const uint64_t offset = offset_;
  absl::StatusOr<FrameRef> frame;
  while (true) {
    std::string_view input = window();
    frame = decoder_.Next(&input);
    if (!frame.ok()) break;
    Consume(window().size() - input.size());
    if (*frame != nullptr) break;
    if (absl::Status s = Fill(1); !s.ok()) return s;
    if (window().empty()) {
      frame = absl::DataLossError("a frame that is cut");
      break;
    }
  }
  if (!frame.ok()) {
    // The window may have moved on; what is wrong begins where the frame does.
    begin_ = end_ = 0;
    offset_ = offset;
    const absl::StatusOr<bool> whole = ChecksumMatches(*file_, offset, limit_bytes_);
    if (!whole.ok()) return whole.status();
    if (!*whole) return NoFrame(Words(frame.status()));
    // No tear makes a checksum match: this is what its writer wrote.
    return absl::Status(frame.status().code(),
                        fmt::format("{}: byte {}: {}", path_, offset, Words(frame.status())));
  }
  if (absl::Status s = CheckContinues(**frame, offset); !s.ok()) return s;
  ++frames_;
  return frame;
}

absl::StatusOr<FrameRef> SegmentReader::NoFrame(std::string_view why) {
  if (absl::Status s = EndHere(why); !s.ok()) return s;
  return FrameRef();
}

absl::Status SegmentReader::CheckContinues(const Frame& frame, uint64_t offset) {
  if (frame.kind() != FrameKind::kMutations) return Damaged(offset, "a frame of a snapshot");
  if (frame.history() != header_->history || frame.shard_count() != positions_.size()) {
    return Damaged(offset, fmt::format("a frame of history {:016x} with {} shards in a segment of "
                                       "{:016x} with {}",
                                       frame.history().value(), frame.shard_count(),
                                       header_->history.value(), positions_.size()));
  }
  ShardPosition& position = positions_[frame.shard().value()];
  if (frame.first_sequence() != tidemark::Next(position.sequence)) {
    return Damaged(offset,
                   fmt::format("shard {} goes on with sequence {} after {}", frame.shard().value(),
                               frame.first_sequence().value(), position.sequence.value()));
  }
  if (frame.stream_digest() != StreamDigest(position.digest, frame.payload())) {
    return Damaged(offset, fmt::format("shard {}'s digest at sequence {} is not that of its stream",
                                       frame.shard().value(), frame.last_sequence().value()));
  }
  position = {.sequence = frame.last_sequence(), .digest = frame.stream_digest()};
  return absl::OkStatus();
}

absl::Status SegmentReader::TakeMark() {
  const absl::StatusOr<Mark> mark = DecodeMark(window(), Here());
  if (!mark.ok()) return EndHere(Words(mark.status()));
  Consume(kMarkBytes);
  return absl::OkStatus();
}

absl::Status SegmentReader::TakeFooter() {
  const size_t bytes = FooterBytes(positions_.size());
  if (absl::Status s = Fill(bytes); !s.ok()) return s;
  const absl::StatusOr<Footer> footer = DecodeFooter(window(), Here(), positions_.size());
  if (!footer.ok()) return EndHere(Words(footer.status()));
  if (footer->frames != frames_ || footer->after != positions_) {
    return Damaged(offset_, fmt::format("a footer of {} frames after {}, or of other positions",
                                        footer->frames, frames_));
  }
  Consume(bytes);
  ended_ = sealed_ = true;
  return absl::OkStatus();
}

MarkPlace SegmentReader::Here() const {
  return {.directory = expected_.directory, .number = expected_.number, .offset = offset_};
}

absl::Status SegmentReader::EndHere(std::string_view why) {
  if (expected_.tail == SegmentTail::kSealed) {
    return Damaged(offset_,
                   fmt::format("{}; another segment follows, so a footer must end this one", why));
  }
  if (expected_.tail == SegmentTail::kGrowing) return Damaged(offset_, why);
  const absl::StatusOr<TearScan> scan =
      ScanTear(*file_, Here(), header_.has_value() ? header_->before.size() : 0);
  if (!scan.ok()) return scan.status();
  if (scan->synced_to > offset_) {
    return Damaged(offset_,
                   fmt::format("{}; the mark at byte {} says that all below byte {} was on "
                               "disk, so this is no torn tail",
                               why, scan->mark_at, scan->synced_to));
  }
  ended_ = true;
  torn_bytes_ = scan->torn_bytes;
  return absl::OkStatus();
}

absl::Status SegmentReader::Damaged(uint64_t offset, std::string_view problem) const {
  return absl::DataLossError(fmt::format("{}: byte {}: {}", path_, offset, problem));
}

absl::Status SegmentReader::Fail(absl::Status status) {
  failure_ = std::move(status);
  return failure_;
}

}  // namespace tidemark::wal
