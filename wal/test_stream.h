// TestStream makes the frames that a shard would, for tests: numbered, with digests and
// transactions that span shards.
//
//   TestStream stream(HistoryId(7), ShardId(0), 2);
//   FrameRef frame = stream.Make(3);                                    // Three records.
//   FrameRef part = stream.MakeTransaction(99, {ShardId(0), ShardId(1)}, 2);

#ifndef TIDEMARK_WAL_TEST_STREAM_H_
#define TIDEMARK_WAL_TEST_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/format/frame.h"
#include "base/format/open_frame.h"
#include "base/ids.h"
#include "wal/positions.h"

namespace tidemark::wal {

class TestStream {
 public:
  TestStream(HistoryId history, ShardId shard, uint16_t shard_count, ShardPosition begin = {})
      : history_(history), shard_(shard), shard_count_(shard_count), position_(begin) {}

  // `records` assignments of `value` to keys that hold their sequence.
  FrameRef Make(size_t records, std::string_view value = "value");
  // The shard's part of a transaction: a marker and `records` assignments. `before` and `after` as
  // many that are not part of it stand around them in the same frame.
  FrameRef MakeTransaction(uint64_t id, const std::vector<ShardId>& participants, size_t records,
                           size_t before = 0, size_t after = 0);

  const ShardPosition& position() const { return position_; }

 private:
  void AddSets(size_t records, std::string_view value);
  FrameRef Seal(uint16_t flags);

  const HistoryId history_;
  const ShardId shard_;
  const uint16_t shard_count_;
  ShardPosition position_;
  OpenFrame open_;
  uint32_t records_ = 0;  // In open_.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_TEST_STREAM_H_
