#include "wal/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "wal/disk/simulated_disk.h"
#include "wal/format/segment.h"
#include "wal/recovery_test_util.h"
#include "wal/stream_position.h"

namespace tidemark::wal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class RecoveryTest : public testing::Test {
 protected:
  // As a node does at its start; what was recovered is in sink_.
  absl::StatusOr<Recovered> TryRecover(int shards) {
    directory_.reset();
    directory_ = OpenDirectory(disk_);
    sink_ = MapSink();
    RecoveryOptions options = OptionsFor(shards, ++fresh_history_);
    options.max_window_bytes = window_bytes_;
    return Recover(*directory_, options, sink_);
  }
  Recovered Recovers(int shards) {
    absl::StatusOr<Recovered> recovered = TryRecover(shards);
    EXPECT_TRUE(recovered.ok()) << recovered.status();
    return recovered.ok() ? *std::move(recovered) : Recovered();
  }
  std::string Refusal(int shards) {
    const std::string before = disk_.Contents(Segment(1)).value_or("");
    const absl::StatusOr<Recovered> recovered = TryRecover(shards);
    if (recovered.ok()) return "recovered";
    EXPECT_EQ(disk_.Contents(Segment(1)).value_or(""), before);
    EXPECT_THAT(Message(recovered.status()), HasSubstr("tidectl log repair /data"));
    return Message(recovered.status());
  }
  // The node's log after a recovery.
  TestLog Log(const Recovered& recovered) {
    return TestLog(*directory_, recovered.history, recovered.positions, recovered.next_segment,
                   sink_.state);
  }
  void StopCleanly(TestLog& log) {
    log.Seal();
    Manifest manifest = directory_->manifest();
    manifest.clean_stop = log.positions();
    ASSERT_TRUE(directory_->Save(manifest).ok());
  }
  std::string Segment(uint64_t number) { return std::string(kDirectory) + "/" + Name(number); }
  static std::string Name(uint64_t number) {
    std::string digits = std::to_string(number);
    return "wal-" + std::string(20 - digits.size(), '0') + digits + ".seg";
  }
  // A log of `segments` sealed ones, each with a frame, and one that is open.
  TestLog LogOf(int segments) {
    TestLog log = Log(Recovers(1));
    for (int i = 0; i < segments; ++i) {
      log.Write(0, {Put("k" + std::to_string(i), "v"), Put("last", std::to_string(i))});
      log.Roll();
    }
    EXPECT_TRUE(log.status().ok()) << log.status();
    return log;
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<DataDirectory> directory_;
  MapSink sink_;
  uint64_t fresh_history_ = 100;
  size_t window_bytes_ = 64 << 20;
};

TEST_F(RecoveryTest, ANewDirectoryBeginsAHistory) {
  const Recovered first = Recovers(2);
  EXPECT_TRUE(first.new_directory);
  EXPECT_EQ(first.history, HistoryId(101));
  EXPECT_EQ(first.positions, Positions(2));
  EXPECT_EQ(first.next_segment, 1u);
  EXPECT_THAT(first.ancestors, IsEmpty());
  // Nobody has seen it: the next start goes on in it.
  const Recovered second = Recovers(2);
  EXPECT_EQ(second.history, HistoryId(101));
  // Unless it has other shards.
  const Recovered third = Recovers(3);
  EXPECT_EQ(third.history, HistoryId(103));
  EXPECT_EQ(third.positions, Positions(3));
}

// After a failed sync the system shows pages that the disk does not have, and syncs them no more
// (SimulatedDisk does as Linux). The next process must not build on them.
class FailedSyncTest : public RecoveryTest, public testing::WithParamInterface<bool> {};

TEST_P(FailedSyncTest, WhatItLeftIsWrittenAgain) {
  TestLog log = Log(Recovers(1));
  log.Write(0, {Put("a", "1")});
  disk_.FailSync(1);
  if (GetParam()) {
    log.Seal();
  } else {
    log.Sync();
  }
  ASSERT_FALSE(log.status().ok());
  const Recovered first = Recovers(1);
  ASSERT_EQ(sink_.state.size(), 1u) << "what a process wrote before it died can still be read";
  TestLog next = Log(first);
  next.Write(0, {Put("b", "1")});
  next.Sync();
  ASSERT_TRUE(next.status().ok()) << next.status();
  disk_.Crash(SimulatedDisk::Unsynced::kLose);
  Recovers(1);
  EXPECT_EQ(sink_.state.size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Segment, FailedSyncTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Sealed" : "Open"; });

TEST_F(RecoveryTest, AfterACrashTheLogGoesOnInAChild) {
  TestLog log = Log(Recovers(2));
  log.Write(0, {Put("a", "1"), Put("b", "1")});
  log.Write(1, {Put("c", "1")});
  log.Roll();
  log.Write(0, {Erase("a")});
  log.Sync();
  disk_.Crash();
  const Recovered recovered = Recovers(2);
  EXPECT_EQ(sink_.state, log.StateAt(SequencesOf(log.positions())));
  EXPECT_EQ(recovered.history, HistoryId(102));
  EXPECT_FALSE(recovered.same_history);
  EXPECT_EQ(recovered.positions, log.positions());
  EXPECT_EQ(recovered.next_segment, 3u);
  EXPECT_EQ(recovered.records, 4u);
  EXPECT_EQ(recovered.segments, 2u);
  ASSERT_THAT(recovered.ancestors, SizeIs(1));
  EXPECT_EQ(recovered.ancestors[0].history, HistoryId(101));
  EXPECT_EQ(recovered.ancestors[0].fork, log.positions());
}

TEST_F(RecoveryTest, AfterACleanStopTheHistoryGoesOn) {
  TestLog log = Log(Recovers(1));
  log.Write(0, {Put("a", "1")});
  StopCleanly(log);
  const Recovered recovered = Recovers(1);
  EXPECT_TRUE(recovered.same_history);
  EXPECT_EQ(recovered.history, log.history());
  EXPECT_EQ(recovered.positions, log.positions());
  EXPECT_FALSE(directory_->manifest().clean_stop.has_value());
  // Two processes, one history: its segments are replayed as one.
  TestLog second = Log(recovered);
  second.Write(0, {Put("b", "2")});
  StopCleanly(second);
  EXPECT_EQ(Recovers(1).history, log.history());
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "1"}, {"b", "2"}}));
}

TEST_F(RecoveryTest, AnotherNumberOfShardsBeginsSequencesAnew) {
  TestLog log = Log(Recovers(2));
  for (int i = 0; i < 20; ++i) {
    const std::string key = "k" + std::to_string(i);
    log.Write(ShardOf(key, KeyHash(key), 2).value(), {Put(key, "1")});
  }
  StopCleanly(log);
  const Recovered three = Recovers(3);
  EXPECT_FALSE(three.same_history);
  EXPECT_EQ(three.positions, Positions(3));
  ASSERT_THAT(three.ancestors, SizeIs(1));
  EXPECT_EQ(three.ancestors[0].fork, log.positions());
  TestLog second = Log(three);
  second.Write(2, {FlushShard(), Put("z", "9")});
  second.Sync();
  disk_.Crash();
  Recovers(1);
  EXPECT_EQ(sink_.topology_changes, 1);
  EXPECT_EQ(sink_.state, second.StateAt(SequencesOf(second.positions())));
  EXPECT_GT(sink_.state.size(), 1u);
  EXPECT_LT(sink_.state.size(), 21u);
}

TEST_F(RecoveryTest, ATornEndIsSavedAndCut) {
  TestLog log = LogOf(1);
  log.Write(0, {Put("whole", "1")});
  log.Sync();
  const Positions whole = log.positions();
  const uint64_t at = log.offset() + kMarkBytes;  // The mark is whole.
  log.Write(0, {Put("torn", std::string(3000, 'x'))});
  std::string bytes = *disk_.Contents(Segment(2));
  for (uint64_t i = at + 1000; i < log.offset(); ++i) bytes[i] = '\0';
  disk_.SetContents(Segment(2), bytes);
  disk_.Crash();

  const Recovered recovered = Recovers(1);
  EXPECT_EQ(recovered.positions, whole);
  EXPECT_EQ(recovered.torn_bytes, 1000u);
  EXPECT_EQ(*disk_.Contents(recovered.torn_saved_as), bytes.substr(at, 1000));
  EXPECT_EQ(sink_.state.count("whole"), 1u);
  EXPECT_EQ(sink_.state.count("torn"), 0u);
  EXPECT_EQ(disk_.Contents(Segment(2))->size(), at + FooterBytes(1));
  // It is sealed now: the next recovery finds nothing to mend.
  const KeyMap state = sink_.state;
  EXPECT_EQ(Recovers(1).torn_bytes, 0u);
  EXPECT_EQ(sink_.state, state);
}

TEST_F(RecoveryTest, AnUnbegunSegmentIsTakenAway) {
  LogOf(1);
  disk_.SetContents(Segment(2), std::string(4096, '\0'));
  const Recovered recovered = Recovers(1);
  EXPECT_EQ(recovered.next_segment, 2u);
  EXPECT_FALSE(disk_.Contents(Segment(2)).ok());
  EXPECT_EQ(sink_.state, (KeyMap{{"k0", "v"}, {"last", "0"}}));
}

TEST_F(RecoveryTest, DamageIsRefusedWithItsPlace) {
  TestLog log = LogOf(3);
  disk_.FlipBit(Segment(2), SegmentHeaderBytes(1) + kMarkBytes + 70, 3);
  const std::string refusal = Refusal(1);
  EXPECT_THAT(refusal, HasSubstr(Name(2)));
  EXPECT_THAT(refusal, HasSubstr(std::to_string(SegmentHeaderBytes(1) + kMarkBytes)));
}

TEST_F(RecoveryTest, MissingSegmentsAreRefused) {
  LogOf(3);
  const std::string second = *disk_.Contents(Segment(2));
  ASSERT_TRUE(disk_.Remove(Segment(2)).ok());
  EXPECT_THAT(Refusal(1), HasSubstr(Name(2) + " is missing"));
  disk_.SetContents(Segment(2), second);
  ASSERT_TRUE(disk_.Remove(Segment(1)).ok());
  EXPECT_THAT(Refusal(1), HasSubstr(Name(1) + " is missing"));
}

TEST_F(RecoveryTest, ACleanStopKnowsOfAMissingLastSegment) {
  TestLog log = LogOf(2);
  log.Write(0, {Put("x", "1")});
  StopCleanly(log);
  ASSERT_TRUE(disk_.Remove(Segment(3)).ok());
  EXPECT_THAT(Refusal(1), HasSubstr("the log ends too early"));
}

TEST_F(RecoveryTest, CopiedSwappedAndForeignSegmentsAreRefused) {
  LogOf(3);
  const std::string first = *disk_.Contents(Segment(1));
  const std::string second = *disk_.Contents(Segment(2));
  disk_.SetContents(Segment(5), first);
  EXPECT_THAT(Refusal(1), HasSubstr(Name(5)));
  ASSERT_TRUE(disk_.Remove(Segment(5)).ok());
  disk_.SetContents(Segment(1), second);
  disk_.SetContents(Segment(2), first);
  EXPECT_THAT(Refusal(1), HasSubstr(Name(1)));
  disk_.SetContents(Segment(1), first);
  absl::StatusOr<SegmentHeader> header = DecodeSegmentHeader(second);
  ASSERT_TRUE(header.ok());
  header->directory = DirectoryId(0xbad);
  disk_.SetContents(Segment(2),
                    EncodeSegmentHeader(*header) + second.substr(SegmentHeaderBytes(1)));
  EXPECT_THAT(Refusal(1), HasSubstr(Name(2)));
}

TEST_F(RecoveryTest, ASegmentOfAnUnknownHistoryIsRefused) {
  TestLog log = LogOf(1);
  log.Seal();
  TestLog other(*directory_, HistoryId(0xbad), log.positions(), 3);
  EXPECT_THAT(Refusal(1), HasSubstr("history 0000000000000bad"));
}

// Shard 0's frame has a record, its part of a transaction, and a record behind it. Shard 1's part
// is not there: the cut lies inside the frame.
TEST_F(RecoveryTest, WhatFollowsHalfATransactionIsVoidForGood) {
  for (const size_t window : {size_t{1}, size_t{64 << 20}}) {
    SCOPED_TRACE(window);
    window_bytes_ = window;
    ASSERT_TRUE(disk_.RemoveTree(kDirectory).ok());
    TestLog log = Log(Recovers(2));
    log.Write(1, {Put("other", "1")});
    const ShardPosition before = log.positions()[0];
    const std::vector<TestRecord> records = {Put("before", "1"), Transaction(7, 1, {0, 1}),
                                             Put("half", "1"), Put("behind", "1")};
    log.Write(0, records);
    log.Write(0, {Put("next", "1")});
    log.Write(1, {Put("other", "2")});
    log.Sync();
    disk_.Crash();

    const Recovered recovered = Recovers(2);
    EXPECT_EQ(sink_.state, (KeyMap{{"before", "1"}, {"other", "2"}}));
    const FrameRef frame = MakeFrame(log.history(), ShardId(0), 2, before, records);
    EXPECT_EQ(recovered.positions[0], *PositionWithin(*frame, before.digest, Sequence(1)));
    EXPECT_EQ(recovered.positions[0].sequence, Sequence(1));
    EXPECT_EQ(recovered.positions[1], log.positions()[1]);
    ASSERT_THAT(recovered.discarded, SizeIs(1));
    EXPECT_EQ(recovered.discarded[0].first, Sequence(2));
    EXPECT_EQ(recovered.discarded[0].last, Sequence(5));

    // The missing part comes under the same id in the child: it is another transaction there.
    TestLog child = Log(recovered);
    child.Write(1, {Transaction(7, 0, {0, 1})});
    child.Write(0, {Transaction(7, 0, {0, 1}), Put("child", "1")});
    child.Sync();
    disk_.Crash();
    const Recovered again = Recovers(2);
    EXPECT_EQ(sink_.state, (KeyMap{{"before", "1"}, {"child", "1"}, {"other", "2"}}));
    EXPECT_EQ(again.positions, child.positions());
    EXPECT_THAT(again.discarded, IsEmpty());
    EXPECT_THAT(again.ancestors, SizeIs(2));
  }
}

TEST_F(RecoveryTest, ASmallWindowReadsAgainWhatItLetGo) {
  window_bytes_ = 1;
  TestLog log = Log(Recovers(2));
  log.Write(0, {Put("a", "0"), Transaction(7, 1, {0, 1}), Put("a", "1")});
  for (int i = 0; i < 100; ++i) {
    log.Write(i % 2, {Put("k" + std::to_string(i), std::string(5000, 'x'))});
    if (i % 10 == 9) log.Roll();
  }
  log.Write(1, {Transaction(7, 1, {0, 1}), Put("b", "1")});
  log.Write(0, {Transaction(8, 1, {0, 1}), Put("c", "1")});
  log.Sync();
  disk_.Crash();
  const Recovered recovered = Recovers(2);
  EXPECT_EQ(sink_.state, log.StateAt(SequencesOf(recovered.positions)));
  EXPECT_EQ(recovered.positions[1], log.positions()[1]);
  EXPECT_EQ(sink_.state.size(), 102u);
  EXPECT_EQ(recovered.records, 105u);
}

TEST_F(RecoveryTest, TheLogGoesOnWhereASnapshotEnds) {
  TestLog log = LogOf(2);
  log.Write(0, {Put("x", "1"), Put("y", "1"), Put("x", "2")});
  // In the middle of the frame.
  const FrameRef frame = MakeFrame(log.history(), ShardId(0), 1, {Sequence(4), 0}, {Put("x", "1")});
  Positions watermark = log.positions();
  log.Sync();
  WriteSnapshot(*directory_, log, 1, watermark, SequencesOf(watermark));
  log.Write(0, {Erase("y")});
  log.Sync();
  ASSERT_TRUE(disk_.Remove(Segment(1)).ok());  // As a pruner would.
  ASSERT_TRUE(disk_.Remove(Segment(2)).ok());
  disk_.Crash();
  const Recovered recovered = Recovers(1);
  EXPECT_EQ(recovered.snapshot, 1u);
  EXPECT_EQ(recovered.records, 1u);
  EXPECT_EQ(recovered.positions, log.positions());
  EXPECT_EQ(sink_.state, log.StateAt(SequencesOf(log.positions())));
}

TEST_F(RecoveryTest, ASnapshotNeedsTheLogUpToItsCut) {
  TestLog log = LogOf(1);
  log.Write(0, {Put("x", "1")});
  log.Sync();
  WriteSnapshot(*directory_, log, 1, log.positions(), {Sequence(9)});
  disk_.Crash();
  EXPECT_THAT(Refusal(1), HasSubstr("the log ends too early"));
}

TEST_F(RecoveryTest, ASnapshotOfAnotherStreamIsRefused) {
  TestLog log = LogOf(1);
  log.Write(0, {Put("x", "1")});
  log.Sync();
  Positions watermark = log.positions();
  ++watermark[0].digest;
  WriteSnapshot(*directory_, log, 1, watermark, SequencesOf(watermark));
  disk_.Crash();
  EXPECT_THAT(Refusal(1), HasSubstr("not of the stream"));
}

TEST_F(RecoveryTest, ADamagedSnapshotIsPassedOverWhileTheLogReachesBack) {
  TestLog log = LogOf(2);
  log.Write(0, {Put("x", "1")});
  log.Sync();
  WriteSnapshot(*directory_, log, 1, log.positions(), SequencesOf(log.positions()));
  log.Write(0, {Put("x", "2")});
  log.Sync();
  WriteSnapshot(*directory_, log, 2, log.positions(), SequencesOf(log.positions()));
  log.Write(0, {Put("x", "3")});
  log.Sync();
  disk_.Crash();
  const KeyMap state = log.StateAt(SequencesOf(log.positions()));
  // In a chunk of the newest: found while it is loaded.
  disk_.FlipBit(directory_->SnapshotPath(2) + "/shard-0000", 80, 1);
  Recovered recovered = Recovers(1);
  EXPECT_EQ(recovered.snapshot, 1u);
  EXPECT_EQ(recovered.snapshots_passed_over, 1u);
  EXPECT_EQ(sink_.resets, 1);
  EXPECT_EQ(sink_.state, state);
  // In the older one's manifest, too.
  disk_.FlipBit(directory_->SnapshotPath(1) + "/MANIFEST", 20, 1);
  recovered = Recovers(1);
  EXPECT_EQ(recovered.snapshot, 0u);
  EXPECT_EQ(recovered.snapshots_passed_over, 2u);
  EXPECT_EQ(sink_.state, state);
  // And the log no longer reaches back.
  ASSERT_TRUE(disk_.Remove(Segment(1)).ok());
  EXPECT_THAT(Refusal(1), HasSubstr("snapshot 2 cannot be used"));
}

TEST_F(RecoveryTest, ProgressReachesTheTotal) {
  TestLog log = LogOf(3);
  log.Sync();
  disk_.Crash();
  directory_.reset();
  directory_ = OpenDirectory(disk_);
  RecoveryProgress progress;
  ASSERT_TRUE(Recover(*directory_, OptionsFor(1, 200), sink_, &progress).ok());
  EXPECT_EQ(progress.loaded_bytes, progress.total_bytes);
  EXPECT_EQ(progress.loaded_records, 6u);
  EXPECT_EQ(progress.loaded_percent(), 100);
}

TEST_F(RecoveryTest, RefusesOptionsThatCannotBe) {
  directory_ = OpenDirectory(disk_);
  EXPECT_TRUE(absl::IsInvalidArgument(Recover(*directory_, OptionsFor(0, 1), sink_).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Recover(*directory_, OptionsFor(1, 0), sink_).status()));
}

}  // namespace
}  // namespace tidemark::wal
