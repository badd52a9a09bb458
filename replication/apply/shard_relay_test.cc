// What a shard of a replica hands on is the stream that it applied, and nothing else: whoever
// joins, whenever, holds what the primary's stream says at the same sequence.
#include "replication/shard_relay.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cache/keyspace.h"
#include "replication/apply/applier_test_util.h"
#include "replication/apply/shard_applier.h"
#include "replication/test_follower.h"

namespace tidemark::replication {
namespace {

class NoWaker final : public LinkWaker {
 public:
  void Wake() override {}
  void WakeShard(ShardId) override {}
};

using Follower = TestFollower;

class ShardRelayTest : public testing::Test {
 protected:
  ShardRelayTest() { relay_.Attach(&keyspace_); }

  void Begin(const ShardPosition& at, HistoryId history = kHistory,
             std::vector<StreamAncestor> ancestors = {}) {
    relay_.Begin({.history = history,
                  .end = {.last = at.sequence, .digest = at.stream_digest},
                  .ancestors = std::move(ancestors)});
  }
  void Apply(const FrameRef& frame, Sequence skip_through = Sequence()) {
    ApplyStep step;
    step.slices.push_back({.shard = ShardId(0), .parts = {}});
    step.slices[0].parts.push_back({.what = SlicePart::What::kFrame,
                                    .frame = frame,
                                    .skip_through = skip_through,
                                    .records = {}});
    const StepResult result = applier_.Run(step, &step.slices[0]);
    ASSERT_TRUE(result.status.ok()) << result.status;
    relay_.OnTurnEnd(1000);
  }
  void SwapIn() {
    ApplyStep step;
    step.kind = ApplyStep::Kind::kBeginStaging;
    applier_.Run(step, nullptr);
    step.kind = ApplyStep::Kind::kSwapIn;
    applier_.Run(step, nullptr);
  }
  std::shared_ptr<Follower> NewFollower() {
    auto follower = std::make_shared<Follower>();
    follower->subscriber = std::make_shared<Subscriber>(
        Subscriber::Options{.max_frames = 1 << 16, .walk_bytes = 64 << 20}, &waker_);
    return follower;
  }
  std::shared_ptr<Follower> Join() {
    auto follower = NewFollower();
    EXPECT_EQ(relay_.publisher().Subscribe(follower->subscriber, {}).kind, Join::Kind::kSnapshot);
    return follower;
  }
  // As one who holds what `primary` has written so far.
  Join::Kind Resume(Follower& follower, const ShardPosition& at, HistoryId history = kHistory) {
    return relay_.publisher()
        .Resume(follower.subscriber,
                {.history = history, .applied = at.sequence, .digest = at.stream_digest})
        .kind;
  }
  void RunUntilIdle(Follower& follower) {
    for (int turns = 0; relay_.DoSlice() || relay_.snapshots().walking(); ++turns) {
      ASSERT_LT(turns, 100'000);
      follower.TakeAll();
    }
    follower.TakeAll();
  }

  NoWaker waker_;
  BacklogBudget budget_{1 << 20, 1};
  cache::Keyspace keyspace_{{.sink = nullptr, .effects_only = true}};
  ShardRelay relay_{{.budget = &budget_}, {.chunk_bytes = 4096, .slice_bytes = 500}};
  ShardApplier applier_{&keyspace_, &relay_};
};

TEST_F(ShardRelayTest, WhatIsAppliedIsHandedOnAsItCame) {
  FrameWriter primary(0, 1);
  Begin(primary.position());
  auto follower = NewFollower();
  ASSERT_EQ(Resume(*follower, primary.position()), Join::Kind::kUpToDate);
  follower->reader = StreamReader({}, Sequence(), 0);
  const FrameRef frame = primary.Set("a", "1").Set("b", "2").Mutations();
  Apply(frame);
  std::vector<FrameRef> got;
  follower->subscriber->BeginDrain();
  follower->subscriber->Drain(10, 1 << 20, &got);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].get(), frame.get()) << "not a copy";
  EXPECT_EQ(relay_.publisher().published_emitted(), frame->last_sequence());
}

TEST_F(ShardRelayTest, OneWhoIsALittleBehindGetsTheFramesThatItLacks) {
  FrameWriter primary(0, 1);
  Begin(primary.position());
  Apply(primary.Set("a", "1").Mutations());
  const ShardPosition there = primary.position();
  Apply(primary.Set("a", "2").Mutations());
  auto follower = NewFollower();
  follower->reader = StreamReader({{"a", {"1", 0}}}, there.sequence, there.stream_digest);
  ASSERT_EQ(Resume(*follower, there), Join::Kind::kBacklog);
  follower->TakeAll();
  EXPECT_EQ(follower->reader.applied(), primary.position().sequence);
  EXPECT_EQ(follower->reader.state().at("a").first, "2");
}

TEST_F(ShardRelayTest, NobodyIsServedBeforeTheStreamBegins) {
  auto follower = NewFollower();
  relay_.publisher().Subscribe(follower->subscriber, {});
  EXPECT_EQ(follower->subscriber->cause(), CutCause::kNewStream);
  EXPECT_FALSE(relay_.DoSlice());
}

TEST_F(ShardRelayTest, AnotherStateCutsEverybodyAndIsServedOnceItsPlaceIsKnown) {
  FrameWriter primary(0, 1);
  Begin(primary.position());
  for (int i = 0; i < 500; ++i) primary.Set("k" + std::to_string(i), std::string(50, 'v'));
  Apply(primary.Mutations());
  auto lives = NewFollower();
  ASSERT_EQ(Resume(*lives, primary.position()), Join::Kind::kUpToDate);
  auto receives = Join();
  ASSERT_TRUE(relay_.DoSlice());
  auto waits = Join();

  SwapIn();
  EXPECT_FALSE(relay_.snapshots().walking());
  for (const auto& follower : {lives, receives, waits}) {
    EXPECT_EQ(follower->subscriber->cause(), CutCause::kNewStream);
  }
  auto early = NewFollower();
  EXPECT_EQ(Resume(*early, primary.position()), Join::Kind::kNotOurs);
  EXPECT_EQ(early->subscriber->cause(), CutCause::kNewStream);

  FrameWriter elsewhere(0, 1, {Sequence(9000), 77});
  Begin(elsewhere.position());
  auto behind = NewFollower();
  EXPECT_EQ(Resume(*behind, primary.position()), Join::Kind::kEvicted) << "never from memory";
  auto follower = Join();
  RunUntilIdle(*follower);
  EXPECT_EQ(follower->reader.applied(), Sequence(9000));
  EXPECT_TRUE(follower->reader.state().empty());
}

TEST_F(ShardRelayTest, ANewNameForTheSameStreamKeepsWhatIsInMemory) {
  constexpr HistoryId kChild{6};
  FrameWriter primary(0, 1);
  Begin(primary.position());
  Apply(primary.Set("a", "1").Mutations());
  const ShardPosition there = primary.position();
  Apply(primary.Set("a", "2").Mutations());
  Begin(primary.position(), kChild, {{.history = kHistory, .fork = primary.position().sequence}});
  auto follower = NewFollower();
  EXPECT_EQ(Resume(*follower, there), Join::Kind::kBacklog);
  auto beyond = NewFollower();
  const ShardPosition parted{Next(primary.position().sequence), 1};
  EXPECT_EQ(Resume(*beyond, parted), Join::Kind::kNotOurs);
}

TEST_F(ShardRelayTest, ADamagedRecordIsHandedOnToNobody) {
  FrameWriter primary(0, 1);
  Begin(primary.position());
  auto follower = NewFollower();
  ASSERT_EQ(Resume(*follower, primary.position()), Join::Kind::kUpToDate);
  const FrameRef good = primary.Set("a", "1").Mutations();
  // Says that it has one record more than it has.
  OpenFrame open;
  open.Commit(EncodeDelete(open.Reserve(RecordBytesBound(1, 0)), "k", 0));
  FrameHeader header;
  header.history = kHistory;
  header.shard_count = 1;
  header.record_count = 2;
  header.first_sequence = Sequence(1);
  header.last_sequence = Sequence(2);
  const FrameRef bad = open.Seal(header);
  ApplyStep step;
  step.slices.push_back({.shard = ShardId(0), .parts = {}});
  step.slices[0].parts.push_back(
      {.what = SlicePart::What::kFrame, .frame = bad, .skip_through = {}, .records = {}});
  EXPECT_FALSE(applier_.Run(step, &step.slices[0]).status.ok());
  EXPECT_EQ(follower->subscriber->cause(), CutCause::kNewStream);
  EXPECT_EQ(relay_.publisher().published_emitted(), Sequence());
}

// Writes of every kind, joins at any moment, slices of walks in between.
TEST_F(ShardRelayTest, WhoeverJoinsHoldsThePrimarysStateAtEverySequence) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const auto draw = [&](uint64_t below) { return random() % below; };
    FrameWriter primary(0, 1, {Sequence(seed * 1000), seed});
    StreamReader truth({}, primary.position().sequence, primary.position().stream_digest);
    SwapIn();  // Empties what the last seed left.
    Begin(primary.position());
    std::vector<std::shared_ptr<Follower>> followers;
    int flushes = 0;
    for (int step = 0; step < 600; ++step) {
      const uint64_t records = 1 + draw(8);
      for (uint64_t i = 0; i < records; ++i) {
        const std::string key = "key" + std::to_string(draw(400));
        const uint64_t what = draw(100);
        if (what < 70) {
          primary.Set(key, std::string(draw(120), static_cast<char>('a' + draw(26))));
        } else if (what < 99 || draw(10) != 0) {
          primary.Delete(key);
        } else {
          primary.Flush();
          ++flushes;
        }
      }
      const FrameRef frame = primary.Mutations();
      ASSERT_TRUE(truth.Take(*frame).ok());
      Apply(frame);
      if (draw(40) == 0) followers.push_back(Join());
      for (uint64_t slices = draw(3); slices > 0; --slices) relay_.DoSlice();
      for (const auto& follower : followers) {
        follower->TakeAll();
        if (!follower->reader.synced() || follower->reader.applied() != truth.applied()) continue;
        ASSERT_EQ(follower->reader.state(), truth.state()) << "at " << truth.applied().value();
      }
    }
    for (const auto& follower : followers) RunUntilIdle(*follower);
    for (const auto& follower : followers) {
      follower->TakeAll();
      EXPECT_TRUE(follower->subscriber->active());
      EXPECT_EQ(follower->reader.applied(), truth.applied());
      EXPECT_EQ(follower->reader.state(), truth.state());
    }
    EXPECT_FALSE(followers.empty());
  }
}

}  // namespace
}  // namespace tidemark::replication
