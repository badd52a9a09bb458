// TestLog writes segments as a node's log does, one call at a time, and keeps the obvious model of
// what is in them: for tests of whoever reads the log back.
//
//   TestLog log(disk, directory, history, begin, first_segment);
//   log.Write(shard, {Put("k", "v"), Erase("k")});   // One frame.
//   log.Sync();  log.Roll();
//   log.StateAt(log.positions());                    // Key to value.
//
// Threading: one thread.

#ifndef TIDEMARK_WAL_TEST_LOG_H_
#define TIDEMARK_WAL_TEST_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/disk/disk.h"
#include "wal/positions.h"

namespace tidemark::wal {

using KeyMap = std::map<std::string, std::string>;

struct TestRecord {
  enum class Op { kPut, kErase, kFlush, kTransaction } op = Op::kPut;
  std::string key;
  std::string value;
  uint64_t id = 0;  // Of the transaction that the next `records` of the frame belong to.
  uint32_t records = 0;
  std::vector<ShardId> participants;
};
TestRecord Put(std::string key, std::string value);
TestRecord Erase(std::string key);
TestRecord FlushShard();
TestRecord Transaction(uint64_t id, uint32_t records, std::vector<int> participants);

// What a record of source shard `shard` of `shard_count` does to all shards' keys.
void ApplyTo(KeyMap& state, const TestRecord& record, ShardId shard, int shard_count);

FrameRef MakeFrame(HistoryId history, ShardId shard, int shard_count, ShardPosition before,
                   const std::vector<TestRecord>& records);

class TestLog {
 public:
  // Creates the first segment. `state` is what the keys are at `begin`.
  TestLog(const DataDirectory& directory, HistoryId history, Positions begin,
          uint64_t first_segment, KeyMap state = {});

  // All of these: the first error is kept in status(), and nothing is written after it.
  void Write(int shard, const std::vector<TestRecord>& records);
  // With a mark before the next write.
  void Sync();
  // Seals this segment and begins the next.
  void Roll();
  // Seals, and says so in nothing: the manifest's clean_stop is the caller's.
  void Seal();

  const absl::Status& status() const { return status_; }
  HistoryId history() const { return history_; }
  int shard_count() const { return static_cast<int>(positions_.size()); }
  const Positions& positions() const { return positions_; }
  const Positions& synced() const { return synced_; }
  uint64_t segment() const { return segment_; }
  uint64_t offset() const { return offset_; }  // Where the next item goes.
  std::string path() const { return directory_.SegmentPath(segment_); }

  // The keys after these records of each shard and no others, whatever order shards took.
  // Requires: not before `begin`.
  KeyMap StateAt(const Watermarks& at) const;
  // No transaction is split.
  bool IsConsistent(const Watermarks& at) const;

 private:
  struct Written {
    ShardId shard;
    Sequence sequence;
    TestRecord record;
  };
  void Note(absl::Status status);
  void Begin();

  const DataDirectory& directory_;
  const HistoryId history_;
  const KeyMap state_;
  Positions positions_;
  Positions synced_;
  uint64_t segment_;
  uint64_t offset_ = 0;
  uint64_t synced_to_ = 0;
  uint64_t frames_ = 0;
  bool mark_due_ = false;
  std::unique_ptr<File> file_;
  std::vector<Written> written_;
  absl::Status status_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_TEST_LOG_H_
