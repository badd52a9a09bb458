// What tests of a replica's applying share: frames written by hand, and a node whose steps run when
// told.

#ifndef TIDEMARK_REPLICATION_APPLY_APPLIER_TEST_UTIL_H_
#define TIDEMARK_REPLICATION_APPLY_APPLIER_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/key_hash.h"
#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"
#include "fmt/format.h"
#include "replication/apply/applier.h"
#include "replication/apply/shard_applier.h"

namespace tidemark::replication {

inline constexpr HistoryId kHistory{5};

// Frames of one of the primary's shards, written by hand.
class FrameWriter {
 public:
  // Goes on from `at`.
  FrameWriter(int shard, int shard_count, const ShardPosition& at = {})
      : shard_(shard),
        shard_count_(shard_count),
        sequence_(at.sequence.value()),
        digest_(at.stream_digest) {}

  FrameWriter& Set(const std::string& key, const std::string& value, const Expiry& expiry = {}) {
    return Add(EncodeSet(Room(key, value), key, value, expiry));
  }
  FrameWriter& Delete(const std::string& key) { return Add(EncodeDelete(Room(key, ""), key, 0)); }
  FrameWriter& Flush() { return Add(EncodeFlush(Room("", ""))); }
  // The next `records` records.
  FrameWriter& Transaction(uint64_t id, uint32_t records,
                           const std::vector<uint16_t>& participants) {
    std::vector<ShardId> shards;
    for (const uint16_t shard : participants) shards.push_back(ShardId(shard));
    char* count_at = nullptr;
    return Add(EncodeTransaction(open_.Reserve(TransactionBytesBound(shards.size())), id, records,
                                 shards, &count_at));
  }
  FrameRef Mutations() {
    digest_ = StreamDigest(digest_, open_.payload());
    FrameHeader header = Header();
    header.first_sequence = Sequence(sequence_ + 1);
    header.last_sequence = Sequence(sequence_ += records_);
    header.stream_digest = digest_;
    return Seal(header);
  }
  FrameRef Chunk(uint16_t flags) {
    FrameHeader header = Header();
    header.kind = FrameKind::kSnapshotChunk;
    header.flags = flags;
    header.first_sequence = header.last_sequence = Sequence(sequence_);
    header.stream_digest = digest_;
    return Seal(header);
  }
  ShardPosition position() const { return {Sequence(sequence_), digest_}; }

 private:
  char* Room(const std::string& key, const std::string& value) {
    return open_.Reserve(RecordBytesBound(key.size(), value.size()));
  }
  FrameWriter& Add(char* end) {
    open_.Commit(end);
    ++records_;
    return *this;
  }
  FrameHeader Header() const {
    FrameHeader header;
    header.history = kHistory;
    header.shard = ShardId(static_cast<uint16_t>(shard_));
    header.shard_count = static_cast<uint16_t>(shard_count_);
    header.record_count = records_;
    return header;
  }
  FrameRef Seal(const FrameHeader& header) {
    records_ = 0;
    return open_.Seal(header);
  }

  const int shard_;
  const int shard_count_;
  OpenFrame open_;
  uint32_t records_ = 0;
  uint64_t sequence_;
  uint64_t digest_;
};

// A replica with `own` shards of a primary with `primary` shards, whose steps run when told.
class ApplierNode {
 public:
  ApplierNode(int own, int primary, Applier::Options options = {})
      : applier(WithShards(options, own)) {
    for (int i = 0; i < primary; ++i) writers.emplace_back(i, primary);
    for (int i = 0; i < own; ++i) {
      keyspaces.push_back(
          std::make_unique<cache::Keyspace>(cache::Keyspace::Options{.effects_only = true}));
      appliers.push_back(std::make_unique<ShardApplier>(keyspaces.back().get()));
    }
  }
  static Applier::Options WithShards(Applier::Options options, int own) {
    options.own_shards = own;
    return options;
  }

  StreamPlan SnapshotPlan() const {
    StreamPlan plan{.history = kHistory, .shards = {}};
    for (const FrameWriter& writer : writers) {
      plan.shards.push_back(
          {.source = CatchUpSource::kSnapshot, .at = writer.position(), .entries = 0});
    }
    return plan;
  }
  // Through a snapshot of nothing: from here on it streams.
  void Join() {
    applier.OnPlan(SnapshotPlan());
    for (FrameWriter& writer : writers) Give(writer.Chunk(kFrameFirst | kFrameLast));
    applier.OnSnapshotEnd();
    RunAll();
    ASSERT_TRUE(applier.synced());
    applier.TakeAppliedMoved();
  }
  void Give(FrameRef frame) {
    const absl::Status status = applier.OnFrame(std::move(frame), Sequence());
    ASSERT_TRUE(status.ok()) << status;
  }
  std::optional<ApplyStep> Next() {
    absl::StatusOr<std::optional<ApplyStep>> step = applier.NextStep();
    EXPECT_TRUE(step.ok()) << step.status();
    if (!step.ok()) return std::nullopt;
    return *std::move(step);
  }
  absl::Status Run(const ApplyStep& step) {
    absl::Status status;
    for (size_t i = 0; i < keyspaces.size(); ++i) {
      const Slice* mine = nullptr;
      for (const Slice& slice : step.slices) {
        if (slice.shard.value() == i) mine = &slice;
      }
      if (mine == nullptr && step.kind == ApplyStep::Kind::kApply && !step.at_cut) continue;
      const StepResult result = appliers[i]->Run(step, mine);
      const absl::Status done =
          applier.OnShardDone(step.id, ShardId(static_cast<uint16_t>(i)), result);
      if (!done.ok()) status = done;
    }
    return status;
  }
  void RunAll() {
    while (std::optional<ApplyStep> step = Next()) {
      const absl::Status status = Run(*step);
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  std::map<std::string, std::string> Contents() {
    std::map<std::string, std::string> contents;
    for (size_t i = 0; i < keyspaces.size(); ++i) {
      for (const auto& [key, stored] : cache::StateOf(*keyspaces[i])) {
        EXPECT_EQ(ShardOf(key, KeyHash(key), static_cast<int>(keyspaces.size())).value(), i) << key;
        contents[key] = stored.value;
      }
    }
    return contents;
  }

  std::deque<FrameWriter> writers;
  std::vector<std::unique_ptr<cache::Keyspace>> keyspaces;
  std::vector<std::unique_ptr<ShardApplier>> appliers;
  Applier applier;
};

// A key of one of the primary's shards.
inline std::string KeyOn(int shard, int shard_count, int which = 0) {
  for (int i = 0;; ++i) {
    const std::string key = fmt::format("key:{}", i);
    if (ShardOf(key, KeyHash(key), shard_count).value() == shard && which-- == 0) return key;
  }
}

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_APPLY_APPLIER_TEST_UTIL_H_
