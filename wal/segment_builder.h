// SegmentBuilder makes the bytes of a segment in memory, for tests of those who read them.
//
//   SegmentBuilder segment({.directory = id, .number = 1, .history = h, .before = Positions(2)});
//   segment.AddMark(segment.bytes().size());
//   segment.AddSets(ShardId(0), 3);
//   segment.AddFooter();

#ifndef TIDEMARK_WAL_SEGMENT_BUILDER_H_
#define TIDEMARK_WAL_SEGMENT_BUILDER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/format/segment.h"
#include "wal/positions.h"

namespace tidemark::wal {

// A frame of mutations that goes on from `*position`, which it advances. `payload` holds `records`
// records.
FrameRef MakeFrame(HistoryId history, ShardId shard, uint16_t shard_count, uint32_t records,
                   std::string_view payload, ShardPosition* position, uint16_t flags = 0);

class SegmentBuilder {
 public:
  explicit SegmentBuilder(SegmentHeader header);

  // A frame of `records` Sets, of a key of `key_bytes` to a short value each.
  FrameRef AddSets(ShardId shard, uint32_t records, size_t key_bytes = 4);
  // The frame's bytes as they are, whatever it is.
  void AddBytes(std::string_view bytes) { bytes_.append(bytes); }
  void AddMark(uint64_t synced_to);
  // What the frames made here add up to.
  void AddFooter();

  const std::string& bytes() const { return bytes_; }
  const Positions& positions() const { return positions_; }
  // Where each item begins; the header is none.
  const std::vector<uint64_t>& offsets() const { return offsets_; }

 private:
  MarkPlace Here() const;

  const SegmentHeader header_;
  Positions positions_;
  uint64_t frames_ = 0;
  std::string bytes_;
  std::vector<uint64_t> offsets_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SEGMENT_BUILDER_H_
