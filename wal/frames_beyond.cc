#include "wal/frames_beyond.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "wal/data_directory.h"
#include "wal/segment_reader.h"

namespace tidemark::wal {
namespace {

absl::StatusOr<std::unique_ptr<SegmentReader>> OpenSealed(const DataDirectory& directory,
                                                          uint64_t number) {
  return SegmentReader::Open(
      directory.disk(), directory.SegmentPath(number),
      {.directory = directory.id(), .number = number, .tail = SegmentTail::kSealed});
}

bool BeginsAbove(const SegmentHeader& header, const Watermarks& cut) {
  for (size_t shard = 0; shard < cut.size(); ++shard) {
    if (header.before[shard].sequence > cut[shard]) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::vector<FrameRef>> FramesBeyond(const DataDirectory& directory,
                                                   HistoryId history, const Watermarks& cut) {
  const absl::StatusOr<std::vector<uint64_t>> numbers = directory.ListSegments();
  if (!numbers.ok()) return numbers.status();
  // Back to the one that begins at or below the cut.
  std::vector<std::unique_ptr<SegmentReader>> readers;
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    absl::StatusOr<std::unique_ptr<SegmentReader>> reader = OpenSealed(directory, *number);
    if (!reader.ok()) return reader.status();
    const SegmentHeader& header = *(*reader)->header();
    if (header.history != history || header.before.size() != cut.size()) break;
    const bool more = BeginsAbove(header, cut);
    readers.push_back(*std::move(reader));
    if (!more) break;
  }
  std::vector<FrameRef> beyond;
  for (auto reader = readers.rbegin(); reader != readers.rend(); ++reader) {
    while (true) {
      absl::StatusOr<std::optional<SegmentReader::Item>> item = (*reader)->Next();
      if (!item.ok()) return item.status();
      if (!item->has_value()) break;
      FrameRef& frame = (*item)->frame;
      if (frame->last_sequence() > cut[frame->shard().value()]) beyond.push_back(std::move(frame));
    }
  }
  return beyond;
}

}  // namespace tidemark::wal
