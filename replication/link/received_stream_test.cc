#include "replication/link/received_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "replication/link/test_stream.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;
using Verdict = ReceivedStream::Verdict;

constexpr HistoryId kParent{4};
constexpr HistoryId kHistory{5};
constexpr uint16_t kWholeChunk = kFrameFirst | kFrameLast;

// Two shards, both of which the replica has some of.
class ReceivedStreamTest : public testing::Test {
 protected:
  ReceivedStreamTest() {
    first_.Next(2);
    second_.Next(3);
  }

  // The plan goes on from where the shards stand now.
  void Begin() {
    plan_ = {.history = kHistory,
             .shards = {{.source = CatchUpSource::kBacklog, .at = first_.position()},
                        {.source = CatchUpSource::kBacklog, .at = second_.position()}},
             .continues = kHistory};
    received_.Begin(&plan_);
  }
  // The second shard gets a snapshot of where it stands; the first goes on, to a cut `more` records
  // further.
  void BeginMixed(int more) {
    TestStream at_cut = first_;
    if (more > 0) at_cut.Next(more);
    Begin();
    plan_.shards[0].cut = at_cut.position();
    plan_.shards[1].source = CatchUpSource::kSnapshot;
    received_.Begin(&plan_);
  }
  Verdict Take(const FrameRef& frame) {
    fault_ = {};
    return received_.Take(*frame, &skip_through_, &fault_);
  }
  bool End(uint32_t shard, uint64_t chunks, uint64_t entries) {
    wire::SnapshotEnd end;
    end.set_shard(shard);
    end.set_chunks(chunks);
    end.set_entries(entries);
    fault_ = {};
    return received_.End(end, &fault_);
  }
  Watermarks Received(uint64_t first, uint64_t second) {
    return {Sequence(first), Sequence(second)};
  }

  TestStream first_{{.history = kHistory, .shard = ShardId(0), .shard_count = 2}};
  TestStream second_{{.history = kHistory, .shard = ShardId(1), .shard_count = 2}};
  StreamPlan plan_;
  ReceivedStream::Counters counters_;
  ReceivedStream received_{&counters_};
  Sequence skip_through_;  // Of the latest frame, as is:
  LinkFault fault_;
};

TEST_F(ReceivedStreamTest, EachShardGoesOnByItself) {
  Begin();
  EXPECT_EQ(received_.received(), Received(2, 3));
  EXPECT_EQ(Take(second_.Next(2)), Verdict::kNew);
  EXPECT_EQ(Take(first_.Next(1)), Verdict::kNew);
  EXPECT_EQ(Take(second_.Next(1)), Verdict::kNew);
  EXPECT_EQ(received_.received(), Received(3, 6));
  EXPECT_EQ(counters_.received_frames, 3u);
  EXPECT_TRUE(received_.whole()) << "there are no snapshots";
}

TEST_F(ReceivedStreamTest, AGapIsAFault) {
  Begin();
  first_.Next(1);
  EXPECT_EQ(Take(first_.Next(1)), Verdict::kFault);
  EXPECT_EQ(fault_.code, wire::Goodbye::PROTOCOL);
  EXPECT_THAT(fault_.text, HasSubstr("4 follows 2"));
  EXPECT_EQ(counters_.gaps, 1u);
  EXPECT_EQ(received_.received(), Received(2, 3));
}

TEST_F(ReceivedStreamTest, WhatWasReceivedBeforeIsToldAndCounted) {
  Begin();
  TestStream again = first_;
  const FrameRef frame = first_.Next(3);
  EXPECT_EQ(Take(frame), Verdict::kNew);
  EXPECT_EQ(skip_through_, Sequence(2)) << "nothing of it";
  EXPECT_EQ(Take(frame), Verdict::kReceived);
  EXPECT_EQ(counters_.skipped_records, 3u);
  // One that begins in what is here, and reaches beyond.
  EXPECT_EQ(Take(again.Next(5)), Verdict::kNew);
  EXPECT_EQ(skip_through_, Sequence(5));
  EXPECT_EQ(counters_.skipped_records, 6u);
  EXPECT_EQ(received_.received(), Received(7, 3));
  EXPECT_EQ(Take(again.Next(1)), Verdict::kNew) << "the chain goes on from the later frame";
}

TEST_F(ReceivedStreamTest, AnotherStreamIsKnownByItsDigest) {
  Begin();
  TestStream other({.history = kHistory,
                    .shard = ShardId(0),
                    .shard_count = 2,
                    .begin = {first_.position().sequence, 99}});
  EXPECT_EQ(Take(other.Next(1)), Verdict::kFault);
  EXPECT_EQ(fault_.code, wire::Goodbye::DIGEST);
  EXPECT_EQ(counters_.digest_mismatches, 1u);
  EXPECT_EQ(received_.received(), Received(2, 3));
}

TEST_F(ReceivedStreamTest, FramesOfOtherHistoriesAndShardsAreFaults) {
  Begin();
  TestStream foreign({.history = HistoryId(6), .shard_count = 2, .begin = first_.position()});
  EXPECT_EQ(Take(foreign.Next(1)), Verdict::kFault);
  EXPECT_THAT(fault_.text, HasSubstr("history 0000000000000006"));
  TestStream third({.history = kHistory, .shard = ShardId(2), .shard_count = 3});
  EXPECT_EQ(Take(third.Next(1)), Verdict::kFault);
  TestStream of_three({.history = kHistory, .shard_count = 3, .begin = first_.position()});
  EXPECT_EQ(Take(of_three.Next(1)), Verdict::kFault);
  EXPECT_THAT(fault_.text, HasSubstr("shard 0 of 3"));
  EXPECT_EQ(counters_.received_frames, 0u);
}

TEST_F(ReceivedStreamTest, AnAncestorsFramesAreTakenUpToItsFork) {
  Begin();
  plan_.ancestors = {{.history = kParent, .fork = {Sequence(4), Sequence(3)}}};
  TestStream parent({.history = kParent, .shard_count = 2, .begin = first_.position()});
  EXPECT_EQ(Take(parent.Next(2)), Verdict::kNew);
  EXPECT_EQ(Take(parent.Next(1)), Verdict::kFault) << "beyond the fork";
  TestStream chunks({.history = kParent, .shard_count = 2, .begin = first_.position()});
  EXPECT_EQ(Take(chunks.Chunk(1, kWholeChunk)), Verdict::kFault) << "a snapshot is of now";
}

// --- Snapshots ---

TEST_F(ReceivedStreamTest, ASnapshotIsWholeWhenItsEndSaysWhatCame) {
  BeginMixed(0);
  EXPECT_FALSE(received_.whole());
  EXPECT_EQ(Take(second_.Chunk(2, kFrameFirst)), Verdict::kNew);
  EXPECT_EQ(Take(second_.Next(1)), Verdict::kNew) << "live frames come among the chunks";
  TestStream at_begin(
      {.history = kHistory, .shard = ShardId(1), .shard_count = 2, .begin = plan_.shards[1].at});
  EXPECT_EQ(Take(at_begin.Chunk(3, kFrameLast)), Verdict::kNew);
  EXPECT_FALSE(End(1, 2, 4));
  EXPECT_THAT(fault_.text, HasSubstr("2 chunks and 4 entries, 2 and 5 came"));
  EXPECT_TRUE(End(1, 2, 5));
  EXPECT_TRUE(received_.whole());
}

TEST_F(ReceivedStreamTest, ASnapshotIsNotWholeBeforeTheOthersHaveReachedTheCut) {
  BeginMixed(5);
  EXPECT_EQ(Take(second_.Chunk(0, kWholeChunk)), Verdict::kNew);
  EXPECT_TRUE(End(1, 1, 0));
  EXPECT_FALSE(received_.whole());
  EXPECT_EQ(Take(first_.Next(5)), Verdict::kNew);
  EXPECT_TRUE(received_.whole());
}

TEST_F(ReceivedStreamTest, AShardThatIsAnotherAtTheCutIsAFault) {
  BeginMixed(5);
  // Frame by frame the records are the same bytes, and so is the chain, but for where it is cut.
  EXPECT_EQ(Take(first_.Next(2)), Verdict::kNew);
  EXPECT_EQ(Take(first_.Next(3)), Verdict::kFault);
  EXPECT_THAT(fault_.text, HasSubstr("another at the cut"));
}

TEST_F(ReceivedStreamTest, ChunksThatAreNotDueAreFaults) {
  BeginMixed(0);
  EXPECT_EQ(Take(first_.Chunk(1, kWholeChunk)), Verdict::kFault) << "that shard goes on";
  EXPECT_EQ(Take(second_.Chunk(1, 0)), Verdict::kFault) << "it is not the first";
  TestStream later = second_;
  later.Next(1);
  EXPECT_EQ(Take(later.Chunk(1, kWholeChunk)), Verdict::kFault) << "of another snapshot";
  EXPECT_EQ(Take(second_.Chunk(1, kWholeChunk)), Verdict::kNew);
  EXPECT_EQ(Take(second_.Chunk(1, kWholeChunk)), Verdict::kFault) << "a second first one";
  ASSERT_TRUE(End(1, 1, 1));
  EXPECT_EQ(Take(second_.Chunk(1, kFrameLast)), Verdict::kFault) << "it has ended";
}

TEST_F(ReceivedStreamTest, TheEndOfNoSnapshotIsAFault) {
  BeginMixed(0);
  EXPECT_FALSE(End(0, 0, 0));
  EXPECT_FALSE(End(2, 0, 0));
  EXPECT_EQ(fault_.code, wire::Goodbye::PROTOCOL);
  ASSERT_TRUE(End(1, 0, 0));
  EXPECT_FALSE(End(1, 0, 0)) << "twice";
}

TEST_F(ReceivedStreamTest, AnotherConnectionBeginsAnew) {
  BeginMixed(5);
  EXPECT_EQ(Take(first_.Next(1)), Verdict::kNew);
  Begin();
  EXPECT_TRUE(received_.whole());
  EXPECT_EQ(received_.received(), Received(3, 3));
  EXPECT_EQ(Take(first_.Next(1)), Verdict::kNew);
}

}  // namespace
}  // namespace tidemark::replication
