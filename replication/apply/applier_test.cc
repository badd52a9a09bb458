#include "replication/apply/applier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/key_hash.h"
#include "cache/keyspace.h"
#include "fmt/format.h"
#include "replication/apply/applier_test_util.h"
#include "replication/apply/shard_applier.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using Kind = ApplyStep::Kind;
using Writer = FrameWriter;
using Node = ApplierNode;

// --- What a log of its own brought back ---

TEST(RecoveredApplierTest, GoesOnFromAFramesBorderAndSkipsWhatItHolds) {
  Node node(1, 1);
  Writer& writer = node.writers[0];
  writer.Set("a", "1").Mutations();
  const ShardPosition border = writer.position();
  // Of the next frame, which is sent once more, the log had the first record applied.
  cache::Keyspace& keyspace = *node.keyspaces[0];
  keyspace.ApplySet(cache::KeyRef::Of("a"), "1", cache::kNoExpiry);
  keyspace.ApplySet(cache::KeyRef::Of("b"), "later changed, so a second time would show", 0);
  node.applier.Begin({kHistory, {border}}, {Sequence(2)}, {2});
  EXPECT_TRUE(node.applier.HoldsKeys());
  EXPECT_EQ(node.applier.Position()->shards[0], border);
  EXPECT_EQ(node.applier.applied()[0], Sequence(1));
  EXPECT_EQ(node.applier.Holds()[0], Sequence(2)) << "whoever promotes the best must know";
  EXPECT_EQ(node.applier.Held().shards[0].sequence, Sequence(2)) << "a full sync would take it";

  node.applier.OnPlan({.history = kHistory,
                       .shards = {{.source = CatchUpSource::kBacklog, .at = border}},
                       .continues = kHistory});
  EXPECT_TRUE(node.applier.synced());
  node.Give(writer.Set("b", "2").Set("c", "3").Mutations());
  node.RunAll();
  EXPECT_EQ(node.Contents()["b"], "later changed, so a second time would show");
  EXPECT_EQ(node.Contents()["c"], "3");
  EXPECT_EQ(node.applier.applied()[0], Sequence(3));
  EXPECT_EQ(node.applier.Holds()[0], Sequence(3));
}

TEST(RecoveredApplierTest, RecordsBeyondABorderDoNotGoOverIntoAnotherHistory) {
  Node node(1, 1);
  Writer& writer = node.writers[0];
  writer.Set("a", "1").Mutations();
  const ShardPosition border = writer.position();
  node.applier.Begin({kHistory, {border}}, {Sequence(2)}, {1});
  // The fork may be right at the border.
  node.applier.OnPlan({.history = HistoryId(6),
                       .shards = {{.source = CatchUpSource::kCurrent, .at = border}},
                       .continues = kHistory});
  EXPECT_FALSE(node.applier.NextStep().ok());
  node.applier.OnLinkLost();
  node.RunAll();
  EXPECT_EQ(node.applier.Position()->history, HistoryId()) << "only a snapshot helps";
  // Of which whoever names what it throws away must know all that is here, and of which history.
  EXPECT_EQ(node.applier.Held().history, kHistory);
  EXPECT_EQ(node.applier.Held().shards[0].sequence, Sequence(2));
}

struct Shape {
  int own;
  int primary;
};
class AnyShapeTest : public testing::TestWithParam<Shape> {};

TEST_P(AnyShapeTest, KeysGoToTheShardsThatOwnThemHere) {
  const auto [own, primary] = GetParam();
  Node node(own, primary);
  node.Join();
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const std::string key = fmt::format("key:{}", i);
    Writer& writer = node.writers[ShardOf(key, KeyHash(key), primary).value()];
    writer.Set(key, "old");
    if (i % 3 == 0) {
      writer.Delete(key);
    } else {
      writer.Set(key, "new");
      expected[key] = "new";
    }
    if (i % 7 == 0) node.Give(writer.Mutations());
  }
  for (int i = 0; i < primary; ++i) {
    const std::string key = KeyOn(i, primary);
    node.Give(node.writers[static_cast<size_t>(i)].Set(key, "last").Mutations());
    expected[key] = "last";
  }
  node.RunAll();
  EXPECT_EQ(node.Contents(), expected);
  for (size_t i = 0; i < node.writers.size(); ++i) {
    EXPECT_EQ(node.applier.applied()[i], node.writers[i].position().sequence);
    EXPECT_EQ(node.applier.Position()->shards[i], node.writers[i].position());
  }
}

TEST_P(AnyShapeTest, AFlushOfAllShardsLeavesOnlyWhatCameAfterIt) {
  const auto [own, primary] = GetParam();
  Node node(own, primary);
  node.Join();
  std::vector<uint16_t> all;
  for (int i = 0; i < primary; ++i) all.push_back(static_cast<uint16_t>(i));
  std::map<std::string, std::string> expected;
  for (int i = 0; i < primary; ++i) {
    Writer& writer = node.writers[static_cast<size_t>(i)];
    writer.Set(KeyOn(i, primary, 0), "before");
    writer.Transaction(1, 1, all).Flush();
    writer.Set(KeyOn(i, primary, 1), "after");
    expected[KeyOn(i, primary, 1)] = "after";
    node.Give(writer.Mutations());
    if (i + 1 < primary) node.RunAll();
  }
  node.RunAll();
  EXPECT_EQ(node.Contents(), expected);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AnyShapeTest,
                         testing::Values(Shape{1, 1}, Shape{1, 2}, Shape{1, 4}, Shape{2, 1},
                                         Shape{2, 2}, Shape{2, 3}, Shape{3, 2}, Shape{4, 1},
                                         Shape{4, 4}),
                         [](const auto& info) {
                           return fmt::format("Own{}Primary{}", info.param.own, info.param.primary);
                         });

TEST(ApplierTest, AFrameStaysWholeWhereOneShardOwnsAllOfIt) {
  for (const Shape shape : {Shape{1, 1}, Shape{1, 3}, Shape{3, 3}}) {
    Node node(shape.own, shape.primary);
    node.Join();
    node.Give(node.writers[0].Set(KeyOn(0, shape.primary), "v").Mutations());
    const std::optional<ApplyStep> step = node.Next();
    ASSERT_TRUE(step);
    ASSERT_EQ(step->slices.size(), 1u);
    ASSERT_EQ(step->slices[0].parts.size(), 1u);
    EXPECT_EQ(step->slices[0].parts[0].what, SlicePart::What::kFrame);
  }
}

TEST(ApplierTest, ATransactionWaitsForItsPartsAndIsAppliedAtACut) {
  Node node(2, 2);
  node.Join();
  const std::string a = KeyOn(0, 2), b = KeyOn(1, 2), later = KeyOn(0, 2, 1);
  node.Give(node.writers[0].Set(later, "free").Mutations());
  node.Give(node.writers[0].Transaction(9, 1, {0, 1}).Set(a, "both").Mutations());
  node.Give(node.writers[0].Set(later, "held").Mutations());
  node.RunAll();
  EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{later, "free"}}));
  EXPECT_EQ(node.applier.applied()[0], Sequence(1)) << "the vector is closed";

  node.Give(node.writers[1].Transaction(9, 1, {0, 1}).Set(b, "both").Mutations());
  const std::optional<ApplyStep> step = node.Next();
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->at_cut);
  EXPECT_EQ(step->slices.size(), 2u);
  ASSERT_TRUE(node.Run(*step).ok());
  node.RunAll();
  EXPECT_EQ(node.Contents(),
            (std::map<std::string, std::string>{{a, "both"}, {b, "both"}, {later, "held"}}));
}

TEST(ApplierTest, AStepAtACutRunsAlone) {
  Node node(2, 2, {.max_step_bytes = 1, .max_steps_under_way = 5});
  node.Join();
  const std::string a = KeyOn(0, 2), b = KeyOn(1, 2);
  node.Give(node.writers[0].Set(a, "1").Mutations());
  const std::optional<ApplyStep> before = node.Next();
  ASSERT_TRUE(before);
  for (int shard = 0; shard < 2; ++shard) {
    node.Give(node.writers[static_cast<size_t>(shard)]
                  .Transaction(9, 1, {0, 1})
                  .Set(shard == 0 ? a : b, "2")
                  .Mutations());
  }
  EXPECT_FALSE(node.Next()) << "what was handed out before is not done";
  ASSERT_TRUE(node.Run(*before).ok());
  const std::optional<ApplyStep> cut = node.Next();
  ASSERT_TRUE(cut && cut->at_cut);
  node.Give(node.writers[0].Set(a, "3").Mutations());
  EXPECT_FALSE(node.Next()) << "the cut is not done";
  ASSERT_TRUE(node.Run(*cut).ok());
  EXPECT_TRUE(node.Next());
}

TEST(ApplierTest, ATransactionOfOneShardThereIsAppliedAtACutWhereItSpansShardsHere) {
  Node node(2, 1);
  node.Join();
  Writer& writer = node.writers[0];
  node.Give(writer.Transaction(9, 2, {0}).Set(KeyOn(0, 2), "v").Set(KeyOn(1, 2), "v").Mutations());
  std::optional<ApplyStep> step = node.Next();
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->at_cut);
  ASSERT_TRUE(node.Run(*step).ok());
  node.Give(
      writer.Transaction(10, 2, {0}).Set(KeyOn(0, 2), "w").Set(KeyOn(0, 2, 1), "w").Mutations());
  step = node.Next();
  ASSERT_TRUE(step);
  EXPECT_FALSE(step->at_cut);
}

TEST(ApplierTest, AppliedMovesWhenAllShardsHaveDoneAStepInTheOrderOfSteps) {
  Node node(2, 1, {.max_step_bytes = 1, .max_steps_under_way = 2});
  node.Join();
  Writer& writer = node.writers[0];
  node.Give(writer.Set(KeyOn(0, 2), "1").Set(KeyOn(1, 2), "1").Mutations());
  node.Give(writer.Set(KeyOn(0, 2), "2").Mutations());
  const std::optional<ApplyStep> first = node.Next(), second = node.Next();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(node.Next()) << "two are under way";
  ASSERT_TRUE(node.applier.OnShardDone(first->id, ShardId(0), {}).ok());
  ASSERT_TRUE(node.applier.OnShardDone(second->id, ShardId(0), {}).ok());
  EXPECT_EQ(node.applier.applied()[0], Sequence(0));
  EXPECT_FALSE(node.applier.Position()) << "something is under way";
  ASSERT_TRUE(node.applier.OnShardDone(first->id, ShardId(1), {}).ok());
  EXPECT_EQ(node.applier.applied()[0], Sequence(3));
  EXPECT_TRUE(node.applier.TakeAppliedMoved());
}

TEST(ApplierTest, ASnapshotIsSeenWhenItIsCompleteAndNotBefore) {
  Node node(2, 2);
  node.Join();
  const std::string a = KeyOn(0, 2), b = KeyOn(1, 2);
  node.Give(node.writers[0].Set(a, "old").Mutations());
  node.RunAll();
  node.applier.OnLinkLost();
  node.RunAll();
  node.applier.OnPlan(node.SnapshotPlan());
  node.Give(node.writers[0].Set(a, "new").Chunk(kFrameFirst));
  node.Give(node.writers[0].Set(a, "newer").Mutations());
  node.Give(node.writers[0].Chunk(kFrameLast));
  node.RunAll();
  EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{a, "old"}}));
  EXPECT_EQ(node.applier.AckableApplied(), (Watermarks{Sequence(), Sequence()}));
  node.Give(node.writers[1].Set(b, "b").Chunk(kFrameFirst | kFrameLast));
  node.applier.OnSnapshotEnd();
  node.RunAll();
  EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{a, "newer"}, {b, "b"}}));
  EXPECT_EQ(node.applier.applied()[0], node.writers[0].position().sequence);
}

TEST(ApplierTest, AnUnfinishedSnapshotIsDroppedAndTheOldDataStay) {
  Node node(1, 1);
  node.Join();
  node.Give(node.writers[0].Set("key", "old").Mutations());
  node.RunAll();
  node.applier.OnLinkLost();
  node.RunAll();
  const ReplicaPosition before = *node.applier.Position();
  node.applier.OnPlan(node.SnapshotPlan());
  node.Give(node.writers[0].Set("key", "new").Chunk(kFrameFirst));
  node.RunAll();
  node.applier.OnLinkLost();
  EXPECT_FALSE(node.applier.Position()) << "staging is still to be dropped";
  node.RunAll();
  EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{"key", "old"}}));
  EXPECT_EQ(node.applier.Position()->shards, before.shards);
  EXPECT_EQ(node.applier.pending_bytes(), 0u);
}

TEST(ApplierTest, WhatALostLinkBroughtIsAppliedAsFarAsItIsWhole) {
  Node node(2, 2);
  node.Join();
  const std::string free = KeyOn(0, 2), half = KeyOn(0, 2, 1), behind = KeyOn(0, 2, 2);
  node.Give(node.writers[0].Set(free, "v").Mutations());
  const ShardPosition reached = node.writers[0].position();
  node.Give(node.writers[0].Transaction(9, 1, {0, 1}).Set(half, "v").Mutations());
  node.Give(node.writers[0].Set(behind, "v").Mutations());
  node.applier.OnLinkLost();
  EXPECT_FALSE(node.applier.Position());
  node.RunAll();
  EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{free, "v"}}));
  ASSERT_TRUE(node.applier.Position());
  EXPECT_EQ(node.applier.Position()->shards[0], reached);
  EXPECT_EQ(node.applier.pending_bytes(), 0u);
}

TEST(ApplierTest, ASnapshotOfWhichNothingIsMissingOutlivesItsLink) {
  Node node(1, 1);
  node.applier.OnPlan(node.SnapshotPlan());
  node.Give(node.writers[0].Set("key", "v").Chunk(kFrameFirst | kFrameLast));
  node.applier.OnSnapshotEnd();
  node.applier.OnLinkLost();
  node.RunAll();
  EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{"key", "v"}}));
  EXPECT_EQ(node.applier.Position()->history, kHistory);
}

TEST(ApplierTest, ASetThatHasExpiredReplacesTheOlderValueAndIsHidden) {
  Node node(1, 1);
  node.Join();
  node.keyspaces[0]->set_now_ms(10'000);
  node.Give(node.writers[0].Set("key", "old").Mutations());
  node.RunAll();
  node.Give(node.writers[0].Set("key", "new", 9'000).Mutations());
  node.RunAll();
  EXPECT_EQ(node.keyspaces[0]->Peek(cache::KeyRef::Of("key")), nullptr);
  EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{"key", "new"}}))
      << "contents at a watermark do not depend on a clock";
}

TEST(ApplierTest, RecordsReceivedBeforeAreNotAppliedAgain) {
  for (const int own : {1, 2}) {
    Node node(own, 1);
    node.Join();
    const FrameRef frame =
        node.writers[0].Set("a", "first").Set("b", "second").Set("c", "third").Mutations();
    ASSERT_TRUE(node.applier.OnFrame(frame, Sequence(2)).ok());
    node.RunAll();
    EXPECT_EQ(node.Contents(), (std::map<std::string, std::string>{{"c", "third"}}));
  }
}

TEST(ApplierTest, InputIsNotWantedWhileTooMuchIsPendingUnlessItIsWhatIsWaitedFor) {
  Node node(2, 2, {.max_pending_bytes = 100, .max_held_bytes = 1'000});
  node.Join();
  node.Give(node.writers[0].Set(KeyOn(0, 2), std::string(200, 'v')).Mutations());
  const std::optional<ApplyStep> step = node.Next();
  ASSERT_TRUE(step);
  EXPECT_FALSE(node.applier.wants_input());
  ASSERT_TRUE(node.Run(*step).ok());
  EXPECT_TRUE(node.applier.wants_input());

  node.Give(node.writers[0].Transaction(9, 1, {0, 1}).Set(KeyOn(0, 2), "v").Mutations());
  node.Give(node.writers[0].Set(KeyOn(0, 2), std::string(2'000, 'v')).Mutations());
  EXPECT_FALSE(node.Next());
  EXPECT_TRUE(node.applier.wants_input()) << "the other part is still to be read";
  const absl::Status status =
      node.applier.OnFrame(node.writers[0].Set(KeyOn(0, 2), "w").Mutations(), Sequence());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << "but not for ever";
}

TEST(ApplierTest, ADamagedRecordVoidsThePosition) {
  Node node(1, 1);
  node.Join();
  OpenFrame open;
  open.Reserve(8);
  open.Commit(EncodeDelete(open.mutable_payload(), "k", 0));
  open.mutable_payload()[0] = 99;
  FrameHeader header;
  header.history = kHistory;
  header.record_count = 1;
  header.first_sequence = header.last_sequence = Sequence(1);
  node.Give(open.Seal(header));
  const std::optional<ApplyStep> step = node.Next();
  ASSERT_TRUE(step);
  EXPECT_EQ(node.Run(*step).code(), absl::StatusCode::kDataLoss);
  node.applier.OnLinkLost();
  EXPECT_EQ(node.applier.Position()->history, HistoryId()) << "only a snapshot helps";
  EXPECT_EQ(node.applier.Held().history, kHistory);
  EXPECT_EQ(node.applier.Held().shards[0].sequence, Sequence(1)) << "some of the frame is here";
}

TEST(ApplierTest, ATransactionWithImpossibleParticipantsIsRefused) {
  Node node(2, 2);
  node.Join();
  for (const std::vector<uint16_t>& participants :
       {std::vector<uint16_t>{1}, std::vector<uint16_t>{0, 7}}) {
    const absl::Status status = node.applier.OnFrame(
        node.writers[0].Transaction(9, 1, participants).Set("k", "v").Mutations(), Sequence());
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace tidemark::replication
