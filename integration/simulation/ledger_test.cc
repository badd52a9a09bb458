#include "integration/simulation/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "wal/test_stream.h"

namespace tidemark::simulation {
namespace {

using testing::HasSubstr;

constexpr HistoryId kFirst{7};
constexpr HistoryId kSecond{8};

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() { Recover(kFirst, {}, {wal::ShardPosition()}, {}); }

  void Recover(HistoryId history, std::vector<wal::Recovered::Ancestor> ancestors,
               wal::Positions positions, const Contents& contents) {
    wal::Recovered recovered;
    recovered.history = history;
    recovered.positions = std::move(positions);
    recovered.ancestors = std::move(ancestors);
    ledger_.OnRecovered("p", recovered, 1, contents);
  }
  // After a crash that left the first history's stream at `at`.
  void RecoverAt(const wal::ShardPosition& at) {
    Recover(kSecond, {{.history = kFirst, .fork = {at}}}, {at},
            ledger_.StateAt(kFirst, {at.sequence}));
  }
  FrameRef Seal(size_t records) {
    FrameRef frame = stream_.Make(records);
    ledger_.OnSealed(frame);
    return frame;
  }
  static replication::ReplicaPosition At(HistoryId history, Sequence sequence, uint64_t digest) {
    return {.history = history, .shards = {{.sequence = sequence, .stream_digest = digest}}};
  }

  Ledger ledger_;
  wal::TestStream stream_{kFirst, ShardId(0), 1};
};

TEST_F(LedgerTest, AcceptsAStreamWithoutGaps) {
  Seal(2);
  const FrameRef frame = Seal(3);
  ledger_.OnDurable("p", kFirst, {Sequence(5)});
  ledger_.OnApplied("r", At(kFirst, Sequence(5), frame->stream_digest()));
  ledger_.OnExported("p", *frame, Sequence(5));
  EXPECT_EQ(ledger_.fault(), "");
  EXPECT_EQ(ledger_.StateAt(kFirst, {Sequence(4)}).size(), 4u);
}

TEST_F(LedgerTest, FindsAGap) {
  stream_.Make(1);
  Seal(1);
  EXPECT_THAT(ledger_.fault(), HasSubstr("begins at 2 after 0"));
}

TEST_F(LedgerTest, FindsADivergentReplica) {
  const FrameRef frame = Seal(2);
  ledger_.OnApplied("r", At(kFirst, Sequence(2), frame->stream_digest() + 1));
  EXPECT_THAT(ledger_.fault(), HasSubstr("no point of history 7's stream"));
}

TEST_F(LedgerTest, FindsAnAcknowledgementOfWhatNobodyApplied) {
  Seal(2);
  ledger_.NoteApplied(kFirst, {Sequence(1)});
  ledger_.OnAcked(kFirst, {Sequence(1)});
  EXPECT_EQ(ledger_.fault(), "");
  ledger_.OnAcked(kFirst, {Sequence(2)});
  EXPECT_THAT(ledger_.fault(), HasSubstr("no replica has ever applied more than 1"));
}

TEST_F(LedgerTest, FindsAnExportOfWhatIsNotDurable) {
  const FrameRef frame = Seal(2);
  ledger_.OnDurable("p", kFirst, {Sequence(1)});
  ledger_.OnExported("p", *frame, Sequence(2));
  EXPECT_THAT(ledger_.fault(), HasSubstr("exported up to 2, and 1 is durable"));
}

TEST_F(LedgerTest, FindsDurableThatGoesBackOrTooFar) {
  Seal(2);
  ledger_.OnDurable("p", kFirst, {Sequence(2)});
  EXPECT_EQ(ledger_.fault(), "");
  ledger_.OnDurable("p", kFirst, {Sequence(1)});
  EXPECT_THAT(ledger_.fault(), HasSubstr("went back"));
}

TEST_F(LedgerTest, FindsDurableRecordsThatACrashTookBack) {
  Seal(2);
  const wal::ShardPosition two = stream_.position();
  Seal(1);
  ledger_.OnDurable("p", kFirst, {Sequence(3)});
  RecoverAt(two);
  EXPECT_THAT(ledger_.fault(), HasSubstr("recovered up to 2, and 3 had been durable"));
}

// As a crash may leave it right after a replica, on a full disk, has gone over to another history.
TEST_F(LedgerTest, WhatAReplicaHadLoggedAndToldNobodyOfMayBeVoidInAnotherHistory) {
  Seal(2);
  const wal::ShardPosition two = stream_.position();
  Seal(1);
  ledger_.OnDurable("r", kFirst, {Sequence(3)});
  ledger_.OnAckedDurable("r", kFirst, {Sequence(2)});
  wal::Recovered recovered;
  recovered.history = kSecond;
  recovered.same_history = recovered.was_follower = true;
  recovered.positions = {two};
  recovered.ancestors = {{.history = kFirst, .fork = {two}}};
  ledger_.OnFollowerRecovered("r", recovered, {});
  EXPECT_EQ(ledger_.fault(), "");
  ledger_.OnAckedDurable("r", kFirst, {Sequence(3)});
  ledger_.OnFollowerRecovered("r", recovered, {});
  EXPECT_THAT(ledger_.fault(), HasSubstr("recovered up to 2, and 3 had been durable"));
}

TEST_F(LedgerTest, FindsAReplicaThatLostInItsHistoryWhatWasDurable) {
  Seal(2);
  const wal::ShardPosition two = stream_.position();
  Seal(1);
  ledger_.OnDurable("r", kFirst, {Sequence(3)});
  wal::Recovered recovered;
  recovered.history = kFirst;
  recovered.same_history = recovered.was_follower = true;
  recovered.positions = {two};
  ledger_.OnFollowerRecovered("r", recovered, ledger_.StateAt(kFirst, {Sequence(2)}));
  EXPECT_THAT(ledger_.fault(), HasSubstr("recovered up to 2, and 3 had been durable"));
}

TEST_F(LedgerTest, FindsContentsThatTheLogDoesNotGive) {
  Seal(2);
  Contents contents = ledger_.StateAt(kFirst, {Sequence(2)});
  contents["surprise"] = {"x", 0};
  Recover(kSecond, {{.history = kFirst, .fork = {stream_.position()}}}, {stream_.position()},
          contents);
  EXPECT_THAT(ledger_.fault(), HasSubstr("surprise"));
}

TEST_F(LedgerTest, FindsAFullSyncThatNamesTooLittle) {
  Seal(2);
  const wal::ShardPosition fork = stream_.position();
  const FrameRef lost = Seal(2);
  RecoverAt(fork);
  const replication::ReplicaPosition held = At(kFirst, Sequence(4), lost->stream_digest());
  EXPECT_EQ(ledger_.Unnamed(held, {Sequence(2)}, kSecond), std::nullopt);
  ledger_.OnDiscard("r", held, {Sequence(2)}, kSecond);
  EXPECT_EQ(ledger_.fault(), "");
  EXPECT_EQ(ledger_.Unnamed(held, {Sequence(3)}, kSecond), 0);
  ledger_.OnDiscard("r", held, {Sequence(3)}, kSecond);
  EXPECT_THAT(ledger_.fault(), HasSubstr("throws away shard 0 from 3 on"));
}

TEST_F(LedgerTest, AReplicaBehindTheForkIsAPointOfTheChildToo) {
  const FrameRef first = Seal(2);
  Seal(2);
  RecoverAt(stream_.position());
  ledger_.OnApplied("r", At(kSecond, Sequence(2), first->stream_digest()));
  EXPECT_EQ(ledger_.fault(), "");
  EXPECT_EQ(ledger_.StateAt(kSecond, {Sequence(2)}), ledger_.StateAt(kFirst, {Sequence(2)}));
}

TEST_F(LedgerTest, FindsAReplicaBeyondTheForkThatWasLetGoOn) {
  Seal(2);
  const wal::ShardPosition fork = stream_.position();
  const FrameRef lost = Seal(2);
  RecoverAt(fork);
  ledger_.OnApplied("r", At(kSecond, Sequence(4), lost->stream_digest()));
  EXPECT_THAT(ledger_.fault(), HasSubstr("no point of history 8's stream"));
}

}  // namespace
}  // namespace tidemark::simulation
