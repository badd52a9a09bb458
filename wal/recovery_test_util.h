// What tests of recovery share: a sink that keeps keys in a map, and one way to open and recover.

#ifndef TIDEMARK_WAL_RECOVERY_TEST_UTIL_H_
#define TIDEMARK_WAL_RECOVERY_TEST_UTIL_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/format/record.h"
#include "base/key_hash.h"
#include "wal/data_directory.h"
#include "wal/disk/disk.h"
#include "wal/recovery.h"
#include "wal/snapshot_chunks.h"
#include "wal/snapshot_writer.h"
#include "wal/test_log.h"

namespace tidemark::wal {

inline constexpr char kDirectory[] = "/data";

class MapSink final : public RecoverySink {
 public:
  absl::Status OnReset() override {
    ++resets;
    state.clear();
    return absl::OkStatus();
  }
  absl::Status OnSnapshotChunk(FrameRef chunk) override {
    CHECK(chunk->kind() == FrameKind::kSnapshotChunk);
    return Apply(*chunk, Sequence(), chunk->last_sequence());
  }
  absl::Status OnFrame(FrameRef frame, Sequence from, Sequence through) override {
    CHECK(frame->kind() == FrameKind::kMutations);
    CHECK(frame->first_sequence() <= from && from <= through && through <= frame->last_sequence());
    return Apply(*frame, from, through);
  }
  absl::Status OnTopologyChange(int) override {
    ++topology_changes;
    return absl::OkStatus();
  }
  absl::Status OnEnd() override {
    ended = true;
    return absl::OkStatus();
  }

  KeyMap state;
  int resets = 0;
  int topology_changes = 0;
  bool ended = false;

 private:
  absl::Status Apply(const Frame& frame, Sequence from, Sequence through) {
    RecordReader reader(frame);
    Record record;
    const bool all = frame.kind() == FrameKind::kSnapshotChunk;
    for (Sequence at = frame.first_sequence();; at = Next(at)) {
      const absl::StatusOr<bool> got = reader.Next(&record);
      if (!got.ok()) return got.status();
      if (!*got) return absl::OkStatus();
      if (!all && (at < from || at > through)) continue;
      TestRecord test = Put(std::string(record.key), std::string(record.value));
      if (record.op == RecordOp::kDelete) test.op = TestRecord::Op::kErase;
      if (record.op == RecordOp::kFlush) test.op = TestRecord::Op::kFlush;
      if (record.op == RecordOp::kTransaction) test.op = TestRecord::Op::kTransaction;
      ApplyTo(state, test, frame.shard(), frame.shard_count());
    }
  }
};

inline std::unique_ptr<DataDirectory> OpenDirectory(Disk& disk) {
  absl::StatusOr<std::unique_ptr<DataDirectory>> directory =
      DataDirectory::Open(disk, kDirectory, DirectoryId(0xd1));
  CHECK(directory.ok());
  return *std::move(directory);
}

inline RecoveryOptions OptionsFor(int shard_count, uint64_t fresh_history) {
  return {.shard_count = shard_count,
          .now_ms = 2000,
          .fresh_history = HistoryId(fresh_history),
          .max_window_bytes = 64 << 20};
}

// A whole snapshot of `state` at `watermark`, which is good to be shown once the log is replayed up
// to `complete_at`.
inline absl::Status WriteStateSnapshot(const DataDirectory& directory, const SnapshotPlan& plan,
                                       const Positions& watermark, const Watermarks& complete_at,
                                       const KeyMap& state) {
  absl::StatusOr<std::unique_ptr<SnapshotWriter>> writer =
      SnapshotWriter::Create(directory, plan, {.sync_every_bytes = 8 << 20, .compress = nullptr});
  if (!writer.ok()) return writer.status();
  for (int shard = 0; shard < plan.shard_count; ++shard) {
    const ShardId id(static_cast<uint16_t>(shard));
    std::vector<std::pair<std::string, std::string>> entries;
    for (const auto& [key, value] : state) {
      if (ShardOf(key, KeyHash(key), plan.shard_count) == id) entries.emplace_back(key, value);
    }
    const FrameRef chunk = MakeChunk({.history = plan.history,
                                      .shard = id,
                                      .shard_count = static_cast<uint16_t>(plan.shard_count),
                                      .watermark = watermark[id.value()]},
                                     kFrameFirst | kFrameLast, entries);
    const absl::Status added = (*writer)->Add(*chunk, complete_at[id.value()]);
    if (!added.ok()) return added;
  }
  if (absl::Status s = (*writer)->SyncFiles(); !s.ok()) return s;
  return (*writer)->Finish(complete_at, 1000);
}
inline absl::Status WriteStateSnapshot(const DataDirectory& directory, const SnapshotPlan& plan,
                                       const Positions& watermark, const KeyMap& state) {
  return WriteStateSnapshot(directory, plan, watermark, SequencesOf(watermark), state);
}

// Likewise of `state` at the log's present positions, in its present segment.
inline void WriteSnapshot(const DataDirectory& directory, const TestLog& log, uint64_t number,
                          const Positions& watermark, const Watermarks& complete_at) {
  CHECK(WriteStateSnapshot(directory,
                           {.number = number,
                            .history = log.history(),
                            .shard_count = log.shard_count(),
                            .first_segment = log.segment(),
                            .begun_at_ms = 1000},
                           watermark, complete_at, log.StateAt(SequencesOf(watermark)))
            .ok());
}

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_RECOVERY_TEST_UTIL_H_
