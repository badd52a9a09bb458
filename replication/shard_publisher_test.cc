#include "replication/shard_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "replication/stream_reader.h"

namespace tidemark::replication {
namespace {

constexpr HistoryId kHistory(7);

class NoWaker final : public LinkWaker {
 public:
  void Wake() override { ++wakes; }
  void WakeShard(ShardId) override {}
  int wakes = 0;
};

// Notes what it is asked, and runs `before_frame`.
class FakeSnapshots final : public SnapshotSource {
 public:
  void Request(SubscriberRef subscriber) override { requested.push_back(std::move(subscriber)); }
  void BeforeFrame() override {
    if (before_frame) before_frame();
  }
  void OnFlush() override { ++flushes; }
  void Withdraw(const Subscriber* subscriber) override {
    std::erase_if(requested, [&](const SubscriberRef& s) { return s.get() == subscriber; });
  }

  std::vector<SubscriberRef> requested;
  std::function<void()> before_frame;
  int flushes = 0;
};

class ShardPublisherTest : public testing::Test {
 protected:
  ShardPublisherTest() { publisher_.set_snapshots(&snapshots_); }

  SubscriberRef NewSubscriber(size_t max_frames = 1024) {
    return std::make_shared<Subscriber>(Subscriber::Options{.max_frames = max_frames}, &waker_);
  }
  // One that is at the stream's end.
  SubscriberRef Follow() {
    SubscriberRef subscriber = NewSubscriber();
    publisher_.Subscribe(subscriber, {kHistory, publisher_.emitted(), publisher_.digest()});
    return subscriber;
  }
  void Set(const std::string& key, const std::string& value) { publisher_.Set(key, value, 0); }
  void EndTurn() { publisher_.OnTurnEnd(1000); }
  static std::vector<FrameRef> Drain(Subscriber& subscriber) {
    std::vector<FrameRef> frames;
    subscriber.BeginDrain();
    while (subscriber.Drain(100, 1 << 30, &frames)) {
    }
    return frames;
  }

  NoWaker waker_;
  FakeSnapshots snapshots_;
  BacklogBudget budget_{1 << 20, 1};
  ShardPublisher publisher_{{.shard = ShardId(0),
                             .shard_count = 1,
                             .history = kHistory,
                             .limits = {.max_records = 100},
                             .budget = &budget_}};
};

TEST_F(ShardPublisherTest, BeforeTheFirstSubscriberMutationsOnlyTakeSequences) {
  for (int i = 0; i < 10; ++i) Set("k", "v");
  publisher_.BeginTransaction({1, {ShardId(0)}});
  publisher_.Delete("k", cache::DeleteCause::kExpired);
  publisher_.EndTransaction();
  EXPECT_EQ(publisher_.published_assigned(), Sequence(0)) << "until the turn ends";
  EndTurn();
  EXPECT_EQ(publisher_.assigned(), Sequence(12));
  EXPECT_EQ(publisher_.published_assigned(), Sequence(12));
  EXPECT_EQ(publisher_.published_emitted(), Sequence(12));
  EXPECT_EQ(publisher_.counters().emitted_frames, 0u);
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(ShardPublisherTest, OneFrameATurnReachesEverySubscriberAsTheSameBytes) {
  const SubscriberRef a = Follow(), b = Follow();
  Set("k", "1");
  Set("k", "2");
  EndTurn();
  EndTurn();
  const std::vector<FrameRef> to_a = Drain(*a), to_b = Drain(*b);
  ASSERT_EQ(to_a.size(), 1u);
  EXPECT_EQ(to_a, to_b);
  EXPECT_EQ(to_a[0]->record_count(), 2u);
  EXPECT_EQ(to_a[0]->sealed_at_ms(), 1000);
  EXPECT_EQ(publisher_.counters().emitted_mutations, 2u);
  EXPECT_EQ(publisher_.counters().emitted_frames, 1u);
  EXPECT_EQ(publisher_.counters().sent_frames, 2u);
  EXPECT_EQ(publisher_.counters().sent_records, 4u);
  EXPECT_EQ(publisher_.counters().sent_bytes, 2 * to_a[0]->bytes().size());
}

TEST_F(ShardPublisherTest, LimitSealsWithinATurnAndTheLinkIsWokenOnce) {
  const SubscriberRef subscriber = Follow();
  Drain(*subscriber);
  waker_.wakes = 0;
  for (int i = 0; i < 250; ++i) Set("k", "v");
  EXPECT_EQ(publisher_.emitted(), Sequence(200));
  EXPECT_EQ(waker_.wakes, 0);
  EndTurn();
  EXPECT_EQ(waker_.wakes, 1);
  EXPECT_EQ(Drain(*subscriber).size(), 3u);
}

TEST_F(ShardPublisherTest, AssignedRunsAheadOfEmittedWhileAFrameIsOpen) {
  ManualClock clock;
  ShardPublisher publisher({.shard = ShardId(0),
                            .history = kHistory,
                            .limits = {.max_delay_ns = 1'000'000},
                            .budget = &budget_,
                            .clock = &clock});
  publisher.Subscribe(NewSubscriber(), {kHistory, Sequence(0), 0});
  publisher.Set("k", "v", 0);
  publisher.OnTurnEnd(1);
  EXPECT_EQ(publisher.published_assigned(), Sequence(1));
  EXPECT_EQ(publisher.published_emitted(), Sequence(0));
  clock.AdvanceMillis(1);
  publisher.OnTurnEnd(2);
  EXPECT_EQ(publisher.published_emitted(), Sequence(1));
}

// Looks at the publisher when a push overflows: in the midst of a broadcast.
class LookingWaker final : public LinkWaker {
 public:
  LookingWaker(const ShardPublisher& publisher, const BacklogBudget& budget)
      : publisher_(publisher), budget_(budget) {}
  void Wake() override {
    emitted = publisher_.published_emitted();
    backlog_bytes = budget_.used_bytes();
  }
  void WakeShard(ShardId) override {}

  Sequence emitted;
  size_t backlog_bytes = 0;

 private:
  const ShardPublisher& publisher_;
  const BacklogBudget& budget_;
};

TEST_F(ShardPublisherTest, FrameIsInTheBacklogAndEmittedBeforeItIsSent) {
  LookingWaker waker(publisher_, budget_);
  const auto subscriber =
      std::make_shared<Subscriber>(Subscriber::Options{.max_frames = 1}, &waker);
  publisher_.Subscribe(subscriber, {kHistory, Sequence(0), 0});
  Set("k", "v");
  EndTurn();
  const size_t one_frame = budget_.used_bytes();
  Set("k", "v");
  EndTurn();
  EXPECT_FALSE(subscriber->active());
  EXPECT_EQ(waker.emitted, Sequence(2));
  EXPECT_EQ(waker.backlog_bytes, 2 * one_frame);
}

TEST_F(ShardPublisherTest, LateReaderGetsFromTheBacklogTheSameFrames) {
  const SubscriberRef first = Follow();
  Set("k", "v");
  EndTurn();
  const SubscriberRef late = NewSubscriber();
  const Join join = publisher_.Subscribe(late, {kHistory, Sequence(0), 0});
  EXPECT_EQ(join.kind, Join::Kind::kBacklog);
  EXPECT_EQ(join.frames, 1u);
  EXPECT_EQ(Drain(*late), Drain(*first));
}

TEST_F(ShardPublisherTest, WhatMutationsDisplacedGoesBeforeTheirFrame) {
  const SubscriberRef subscriber = Follow();
  Set("k", "v");
  bool asked = false;
  snapshots_.before_frame = [&] {
    asked = true;
    EXPECT_EQ(publisher_.published_emitted(), Sequence(0));
    EXPECT_TRUE(Drain(*subscriber).empty());
  };
  EndTurn();
  EXPECT_TRUE(asked);
}

TEST_F(ShardPublisherTest, JoiningWithAFrameOpenMissesNothingAndRepeatsNothing) {
  const SubscriberRef first = Follow();
  Set("k", "1");
  EndTurn();
  Set("k", "2");
  const SubscriberRef late = NewSubscriber();
  const Join join = publisher_.Subscribe(late, {kHistory, Sequence(0), 0});
  EXPECT_EQ(join.emitted, Sequence(1));
  EndTurn();
  StreamReader reader({}, Sequence(0), 0);
  for (const FrameRef& frame : Drain(*late)) ASSERT_TRUE(reader.Take(*frame).ok());
  EXPECT_EQ(reader.applied(), Sequence(2));
}

TEST_F(ShardPublisherTest, ForeignOrUnknownPositionIsSentToTheSnapshot) {
  Set("k", "v");
  EndTurn();
  const SubscriberRef subscriber = NewSubscriber();
  EXPECT_EQ(publisher_.Subscribe(subscriber, {HistoryId(8), Sequence(1), 0}).kind,
            Join::Kind::kSnapshot);
  EXPECT_EQ(publisher_.Subscribe(NewSubscriber(), {}).kind, Join::Kind::kSnapshot);
  EXPECT_EQ(publisher_.Subscribe(NewSubscriber(), {kHistory, Sequence(2), std::nullopt}).kind,
            Join::Kind::kSnapshot);
  EXPECT_EQ(snapshots_.requested.size(), 3u);
  Set("k", "v");
  EndTurn();
  EXPECT_TRUE(Drain(*subscriber).empty()) << "not live until its snapshot begins";
  publisher_.GoLive(subscriber);
  Set("k", "v");
  EndTurn();
  EXPECT_EQ(Drain(*subscriber).size(), 1u);
}

TEST_F(ShardPublisherTest, SlowSubscriberIsCutAndTheOthersDoNotNotice) {
  const SubscriberRef slow = NewSubscriber(2), fast = Follow();
  publisher_.Subscribe(slow, {kHistory, Sequence(0), 0});
  for (int i = 0; i < 5; ++i) {
    Set("k", "v");
    EndTurn();
  }
  EXPECT_EQ(slow->cause(), CutCause::kTooManyFrames);
  EXPECT_EQ(slow.use_count(), 1) << "the publisher has let go";
  EXPECT_EQ(publisher_.subscriber_count(), 1u);
  EXPECT_EQ(publisher_.counters().backpressure_events, 1u);
  EXPECT_EQ(publisher_.counters().drops, 1u);
  EXPECT_EQ(Drain(*fast).size(), 5u);
}

TEST_F(ShardPublisherTest, SubscriberCutElsewhereIsLetGoAtTheTurnsEnd) {
  const SubscriberRef subscriber = Follow();
  subscriber->Cut(CutCause::kClosed);
  EndTurn();
  EXPECT_EQ(subscriber.use_count(), 1);
}

TEST_F(ShardPublisherTest, UnsubscribeLetsGoWhereverTheSubscriberStands) {
  const SubscriberRef live = Follow(), waiting = NewSubscriber();
  publisher_.Subscribe(waiting, {});
  publisher_.Unsubscribe(live.get());
  publisher_.Unsubscribe(waiting.get());
  publisher_.Unsubscribe(waiting.get());
  EXPECT_EQ(live.use_count(), 1);
  EXPECT_EQ(waiting.use_count(), 1);
}

TEST_F(ShardPublisherTest, TransactionIsNotSplitByALimit) {
  const SubscriberRef subscriber = Follow();
  for (int i = 0; i < 50; ++i) Set("k", "v");
  publisher_.BeginTransaction({1, {ShardId(0), ShardId(1)}});
  for (int i = 0; i < 300; ++i) Set("k", "v");
  publisher_.EndTransaction();
  EndTurn();
  const std::vector<FrameRef> frames = Drain(*subscriber);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0]->record_count(), 351u);
}

TEST_F(ShardPublisherTest, MutationThatCannotBeEncodedCutsReadersAndStopsWrites) {
  const SubscriberRef subscriber = Follow();
  Set("k", "v");
  EndTurn();
  EXPECT_FALSE(publisher_.writes_refused());
  publisher_.SetRange("k", uint64_t{512} << 20, "past the limit");
  EndTurn();
  EXPECT_TRUE(publisher_.writes_refused());
  EXPECT_EQ(subscriber->cause(), CutCause::kStreamBroken);
  EXPECT_EQ(publisher_.published_emitted(), Sequence(2));
  EXPECT_EQ(publisher_.counters().encode_failures, 1u);
  // Nobody from before the hole can go on without a snapshot; a snapshot can go on.
  EXPECT_EQ(publisher_.Subscribe(NewSubscriber(), {kHistory, Sequence(1), std::nullopt}).kind,
            Join::Kind::kSnapshot);
  EXPECT_EQ(
      publisher_.Subscribe(NewSubscriber(), {kHistory, Sequence(2), publisher_.digest()}).kind,
      Join::Kind::kUpToDate);
}

TEST_F(ShardPublisherTest, ReaderThatOnlyWantsToResumeIsToldWhyItCannot) {
  Follow();
  Set("k", std::string(budget_.max_bytes(), 'v'));  // Evicts itself.
  EndTurn();
  const auto resume = [&](HistoryId history, uint64_t applied) {
    return publisher_.Resume(NewSubscriber(), {history, Sequence(applied), std::nullopt}).kind;
  };
  EXPECT_EQ(publisher_.published_backlog_low(), Sequence(1));
  EXPECT_EQ(resume(kHistory, 0), Join::Kind::kEvicted);
  EXPECT_EQ(resume(kHistory, 1), Join::Kind::kUpToDate);
  EXPECT_EQ(resume(kHistory, 2), Join::Kind::kNotOurs) << "ahead of us";
  EXPECT_EQ(resume(HistoryId(8), 0), Join::Kind::kNotOurs) << "a stranger";
  EXPECT_TRUE(snapshots_.requested.empty());
}

TEST_F(ShardPublisherTest, NobodyResumesFromBeforeAHole) {
  Follow();
  Set("k", "v");
  EndTurn();
  publisher_.SetRange("k", uint64_t{512} << 20, "past the limit");
  EndTurn();
  // Not kEvicted: the log has the same hole, and would be read for ever.
  EXPECT_EQ(publisher_.Resume(NewSubscriber(), {kHistory, Sequence(1), std::nullopt}).kind,
            Join::Kind::kNotOurs);
}

TEST_F(ShardPublisherTest, FlushTellsTheSnapshotSource) {
  Follow();
  publisher_.Flush();
  EXPECT_EQ(snapshots_.flushes, 1);
}

TEST_F(ShardPublisherTest, ASuccessorHasTheFramesBeforeItsForkForThoseWhoWereBehind) {
  const SubscriberRef subscriber = Follow();
  Set("a", "1");
  EndTurn();
  Set("b", "2");
  EndTurn();
  const std::vector<FrameRef> frames = Drain(*subscriber);
  ASSERT_EQ(frames.size(), 2u);

  BacklogBudget budget(1 << 20, 1);
  ShardPublisher successor({.shard = ShardId(0),
                            .shard_count = 1,
                            .history = HistoryId(1),
                            .limits = {},
                            .budget = &budget});
  successor.set_snapshots(&snapshots_);
  successor.Begin({.history = HistoryId(77),
                   .end = {Sequence(2), publisher_.digest()},
                   .ancestors = {{kHistory, Sequence(2)}},
                   .log = nullptr,
                   .has_readers = true,
                   .tail = {.before = Sequence(0), .digest_before = 0, .frames = frames}});
  successor.Set("c", "3", 0);
  successor.OnTurnEnd(1);
  const SubscriberRef behind = NewSubscriber();
  const Join join =
      successor.Subscribe(behind, {kHistory, Sequence(1), frames[0]->stream_digest()});
  EXPECT_EQ(join.kind, Join::Kind::kBacklog);
  const std::vector<FrameRef> got = Drain(*behind);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0], frames[1]) << "the same frame, under its old name";
  EXPECT_EQ(got[1]->history(), HistoryId(77));
  EXPECT_EQ(got[1]->first_sequence(), Sequence(3));
}

// Notes what it is given.
class FakeLog final : public FrameLog {
 public:
  void Append(FrameRef frame) override { frames.push_back(std::move(frame)); }
  void OnTurnEnd() override { ++turns; }
  void OnHole(Sequence through) override { hole = through; }

  std::vector<FrameRef> frames;
  int turns = 0;
  Sequence hole;
};

class LoggedPublisherTest : public ShardPublisherTest {
 protected:
  static constexpr HistoryId kGrandparent{5}, kParent{6};
  static constexpr uint64_t kDigest = 99;

  LoggedPublisherTest() {
    publisher_.Begin({.history = HistoryId(8),
                      .end = {Sequence(40), kDigest},
                      .ancestors = {{kGrandparent, Sequence(30)}, {kParent, Sequence(40)}},
                      .log = &log_});
  }
  Join::Kind JoinAt(HistoryId history, uint64_t applied,
                    std::optional<uint64_t> digest = std::nullopt) {
    return publisher_.Subscribe(NewSubscriber(), {history, Sequence(applied), digest}).kind;
  }

  FakeLog log_;
};

TEST_F(LoggedPublisherTest, EveryMutationIsInAFrameOfTheLogThoughNobodyHasSubscribed) {
  Set("a", "1");
  Set("b", "2");
  EndTurn();
  ASSERT_EQ(log_.frames.size(), 1u);
  EXPECT_EQ(log_.frames[0]->history(), HistoryId(8));
  EXPECT_EQ(log_.frames[0]->first_sequence(), Sequence(41));
  EXPECT_EQ(log_.frames[0]->last_sequence(), Sequence(42));
  EXPECT_EQ(log_.frames[0]->stream_digest(), StreamDigest(kDigest, log_.frames[0]->payload()));
  EXPECT_EQ(log_.turns, 1);
  EXPECT_EQ(publisher_.published_emitted(), Sequence(42));
}

TEST_F(LoggedPublisherTest, AReaderThatHasAllOfAnAncestorGoesOnWithWhatFollows) {
  EXPECT_EQ(JoinAt(kParent, 40, kDigest), Join::Kind::kUpToDate);
  Set("a", "1");
  EndTurn();
  EXPECT_EQ(JoinAt(kParent, 40, kDigest), Join::Kind::kBacklog);
  EXPECT_EQ(JoinAt(HistoryId(8), 41), Join::Kind::kUpToDate);
  EXPECT_TRUE(snapshots_.requested.empty());
}

TEST_F(LoggedPublisherTest, AReaderBeyondAForkHasDiverged) {
  Set("a", "1");
  EndTurn();
  EXPECT_EQ(JoinAt(kParent, 41), Join::Kind::kSnapshot) << "a record that we do not have";
  EXPECT_EQ(JoinAt(kGrandparent, 31), Join::Kind::kSnapshot) << "beyond the fork of its child";
  EXPECT_EQ(JoinAt(kParent, 40, kDigest + 1), Join::Kind::kSnapshot) << "another prefix";
  EXPECT_EQ(JoinAt(HistoryId(4), 40), Join::Kind::kSnapshot) << "a stranger";
  EXPECT_EQ(JoinAt(HistoryId(0), 0), Join::Kind::kSnapshot) << "no data";
}

TEST_F(LoggedPublisherTest, ABatchThatIsLostIsAHoleInTheLog) {
  Set("a", "1");
  EndTurn();
  publisher_.SetRange("a", kMaxValueBytes, "too far");
  Set("b", "2");
  EndTurn();
  EXPECT_EQ(log_.frames.size(), 1u);
  EXPECT_EQ(log_.hole, Sequence(43));
  EXPECT_TRUE(publisher_.writes_refused());
}

// Readers come, go, fall behind and come back, against one that sees everything.
TEST_F(ShardPublisherTest, ReaderThatComesAndGoesReachesTheStateOfOneThatStays) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    BacklogBudget budget(8'000, 1);
    FakeSnapshots snapshots;
    ShardPublisher publisher({.shard = ShardId(0),
                              .history = kHistory,
                              .limits = {.max_records = 10},
                              .budget = &budget});
    publisher.set_snapshots(&snapshots);
    SubscriberRef steady = NewSubscriber();
    publisher.Subscribe(steady, {kHistory, Sequence(0), 0});
    StreamReader reference({}, Sequence(0), 0), reader({}, Sequence(0), 0);
    SubscriberRef flaky;
    for (int turn = 0; turn < 300; ++turn) {
      for (uint64_t n = random() % 15; n > 0; --n) {
        const std::string key = "k" + std::to_string(random() % 10);
        if (random() % 5 == 0) {
          publisher.Delete(key, cache::DeleteCause::kCommand);
        } else {
          publisher.Set(key, std::string(random() % 50, 'v'), static_cast<int64_t>(random() % 2));
        }
      }
      publisher.OnTurnEnd(turn);
      for (const FrameRef& frame : Drain(*steady)) ASSERT_TRUE(reference.Take(*frame).ok());
      if (flaky == nullptr && random() % 5 == 0) {
        flaky = NewSubscriber(3);
        const Join join = publisher.Subscribe(flaky, {kHistory, reader.applied(), reader.digest()});
        if (join.kind == Join::Kind::kSnapshot) {  // As if one had been sent.
          snapshots.requested.clear();
          publisher.SealNow();
          for (const FrameRef& frame : Drain(*steady)) ASSERT_TRUE(reference.Take(*frame).ok());
          publisher.GoLive(flaky);
          reader = StreamReader(reference.state(), reference.applied(), reference.digest());
        }
      }
      if (flaky != nullptr && random() % 2 == 0) {
        for (const FrameRef& frame : Drain(*flaky)) ASSERT_TRUE(reader.Take(*frame).ok());
        if (flaky->active()) {
          EXPECT_EQ(reader.applied(), publisher.emitted());
          EXPECT_EQ(reader.state(), reference.state());
        }
        if (!flaky->active() || random() % 5 == 0) {
          publisher.Unsubscribe(flaky.get());
          flaky = nullptr;
        }
      }
    }
    EXPECT_GT(publisher.counters().catch_up_backlog.load() +
                  publisher.counters().catch_up_snapshot.load(),
              0u);
  }
}

}  // namespace
}  // namespace tidemark::replication
