#include "server/held_replies.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "server/reply_bytes.h"

namespace tidemark::server {
namespace {

using replication::AckKind;

Watermarks At(std::vector<uint64_t> sequences) {
  Watermarks watermarks;
  for (uint64_t sequence : sequences) watermarks.emplace_back(sequence);
  return watermarks;
}

constexpr AckNeed kDisk{.own_disk = true, .replicas = 0, .kind = AckKind::kApplied, .timed = false};
constexpr AckNeed kOneReplica{
    .own_disk = false, .replicas = 1, .kind = AckKind::kApplied, .timed = true};
constexpr AckNeed kTwoReplicas{
    .own_disk = false, .replicas = 2, .kind = AckKind::kApplied, .timed = true};
constexpr AckNeed kNothing{};

// What holds by now, set by the test. What was not set is 0 everywhere.
class FakeProgress final : public AckProgress {
 public:
  Sequence OnOwnDisk(ShardId shard) const override { return own_disk[shard.value()]; }
  Sequence OnReplicas(AckKind, int replicas, ShardId shard) const override {
    const auto found = on_replicas.find(replicas);
    return found == on_replicas.end() ? Sequence() : found->second[shard.value()];
  }
  Watermarks own_disk = At({0, 0, 0});
  std::map<int, Watermarks> on_replicas;  // By how many.
};

// A connection whose commands are answered as soon as they are taken, unless the test says
// otherwise: its output, and what has left of it.
class HeldRepliesTest : public testing::Test {
 protected:
  void SetUp() override { held_.Begin(0, 0, At({0, 0, 0})); }

  void Reply(ReplyKind kind, std::string_view bytes) {
    held_.OnCommand(kind);
    output_ += bytes;
  }
  void Read(std::string_view bytes = "+r\r\n") { Reply(ReplyKind::kRead, bytes); }
  void Write(std::string_view bytes = "+w\r\n") { Reply(ReplyKind::kWrite, bytes); }

  void Note(std::vector<uint64_t> written, const AckNeed& need = kDisk, size_t pending = 0) {
    held_.Note(output_.size(), pending, At(std::move(written)), need, now_ns_);
  }
  bool Durable(std::vector<uint64_t> durable) {
    progress_.own_disk = At(std::move(durable));
    return held_.Release(progress_, now_ns_, &waited_);
  }
  bool OnReplicas(int replicas, std::vector<uint64_t> reached) {
    progress_.on_replicas[replicas] = At(std::move(reached));
    return held_.Release(progress_, now_ns_, &waited_);
  }
  // Gives up on what has waited since `since_ns`; the replies become "-need<N>".
  size_t Fail(int64_t since_ns) {
    EXPECT_TRUE(held_.HasOverdue(since_ns));
    const std::string held = output_.substr(held_.limit());
    output_.resize(held_.limit());
    return held_.Fail(since_ns, progress_, held, [&](std::string_view bytes, const AckNeed* need) {
      const std::string put =
          need == nullptr ? std::string(bytes) : "-need" + std::to_string(need->replicas) + "\r\n";
      output_ += put;
      return put.size();
    });
  }
  // What may leave by now.
  std::string Left() const { return output_.substr(0, held_.limit()); }

  HeldReplies held_;
  FakeProgress progress_;
  LatencyHistogram waited_;
  std::string output_;
  int64_t now_ns_ = 1'000;
};

TEST_F(HeldRepliesTest, OutputOfAConnectionThatWritesNothingIsFree) {
  Read();
  Note({0, 0, 0});
  Read();
  Note({0, 0, 0});
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(held_.limit(), HeldReplies::kNoLimit);
}

TEST_F(HeldRepliesTest, RepliesFromAWriteOnWaitForItsShard) {
  Read("+1\r\n");
  Note({0, 0, 0});
  Write("+2\r\n");
  Note({0, 7, 0});
  Read("+3\r\n");  // After the write: in its place in the order.
  Note({0, 7, 0});
  EXPECT_EQ(Left(), "+1\r\n");
  EXPECT_FALSE(Durable({99, 6, 0}));
  EXPECT_EQ(Left(), "+1\r\n");
  EXPECT_TRUE(Durable({0, 7, 0}));
  EXPECT_EQ(held_.limit(), HeldReplies::kNoLimit);
}

TEST_F(HeldRepliesTest, ALaterWriteThatIsDurableWaitsBehindAnEarlierOneThatIsNot) {
  Write();
  Note({5, 0, 0});
  Write();
  Note({5, 3, 0});
  EXPECT_FALSE(Durable({4, 3, 0}));
  EXPECT_EQ(held_.limit(), 0u);
  EXPECT_TRUE(Durable({5, 3, 0}));
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldRepliesTest, EachWriteLetsGoOfTheRepliesBeforeTheNext) {
  for (uint64_t i = 1; i <= 3; ++i) {
    Write();
    Note({i, 0, 0});
  }
  EXPECT_TRUE(Durable({2, 0, 0}));
  EXPECT_EQ(Left(), "+w\r\n+w\r\n");
}

TEST_F(HeldRepliesTest, AnswersOfSeveralShardsWaitForAll) {
  Write();
  Write();
  Note({4, 9, 0});
  EXPECT_FALSE(Durable({4, 8, 0}));
  EXPECT_EQ(held_.limit(), 0u);
  EXPECT_TRUE(Durable({4, 9, 0}));
}

// The write has run, but its reply stands behind an earlier command's that is not there yet.
TEST_F(HeldRepliesTest, AReplyThatReachesTheOutputAfterItsWriteWasNotedWaitsToo) {
  held_.OnCommand(ReplyKind::kRead);
  held_.OnCommand(ReplyKind::kWrite);
  Note({6, 0, 0}, kDisk, 2);
  output_ = "+r\r\n+w\r\n";
  Note({6, 0, 0});
  EXPECT_EQ(held_.limit(), 0u);
}

TEST_F(HeldRepliesTest, WhatWasNotedIsNotHeldAgain) {
  Write();
  Note({5, 0, 0});
  EXPECT_TRUE(Durable({5, 0, 0}));
  EXPECT_EQ(held_.limit(), HeldReplies::kNoLimit);
  Read();
  Note({5, 0, 0});
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldRepliesTest, WhatWasWrittenBeforeItBeganIsFree) {
  HeldReplies held;
  held.Begin(100, 1, At({3, 0, 0}));
  held.Note(120, 0, At({3, 0, 0}), kDisk, 1);
  EXPECT_TRUE(held.empty());
  EXPECT_TRUE(held.following());
}

TEST_F(HeldRepliesTest, ItEndsOnceNothingIsHeldAndNothingIsToBe) {
  Write();
  Note({5, 0, 0});
  Note({5, 0, 0}, kNothing);
  EXPECT_TRUE(held_.following()) << "the first write still waits";
  EXPECT_FALSE(held_.empty());
  EXPECT_TRUE(Durable({5, 0, 0}));
  Note({5, 0, 0}, kNothing);
  EXPECT_FALSE(held_.following());
}

TEST_F(HeldRepliesTest, EachWriteWaitsForWhatWasNeededWhenItRan) {
  Write("+1\r\n");
  Note({1, 0, 0}, kOneReplica);
  Write("+2\r\n");
  Note({2, 0, 0}, kTwoReplicas);
  Write("+3\r\n");
  Note({3, 0, 0}, kNothing);
  EXPECT_TRUE(OnReplicas(1, {3, 0, 0}));
  EXPECT_EQ(Left(), "+1\r\n");
  EXPECT_TRUE(OnReplicas(2, {2, 0, 0}));
  EXPECT_EQ(Left(), output_);
}

TEST_F(HeldRepliesTest, DiskAndReplicasTogetherAreBothWaitedFor) {
  const AckNeed both{.own_disk = true, .replicas = 1, .kind = AckKind::kDurable, .timed = true};
  Write();
  Note({1, 0, 0}, both);
  EXPECT_TRUE(held_.NeedsOwnDisk());
  EXPECT_FALSE(OnReplicas(1, {1, 0, 0}));
  EXPECT_TRUE(Durable({1, 0, 0}));
}

TEST_F(HeldRepliesTest, HowLongItWaitedIsCounted) {
  Write();
  Note({1, 0, 0});
  now_ns_ += 1'000'000;
  Durable({1, 0, 0});
  LatencySnapshot snapshot;
  waited_.AddTo(snapshot);
  EXPECT_EQ(snapshot.count(), 1u);
  EXPECT_GE(snapshot.max_nanos(), 1'000'000);
}

// --- Giving up ---

TEST_F(HeldRepliesTest, AWriteThatWaitedTooLongBecomesAnErrorAndReadsStay) {
  Read("+1\r\n");
  Write("+2\r\n");
  Read("$3\r\n\r\n3\r\n");
  Write(":4\r\n");
  Note({7, 0, 0}, kOneReplica);
  EXPECT_FALSE(held_.HasOverdue(999));
  EXPECT_EQ(Fail(1'000), 2u);
  EXPECT_EQ(output_, "+1\r\n-need1\r\n$3\r\n\r\n3\r\n-need1\r\n");
  EXPECT_TRUE(held_.empty());
  // And it goes on as before.
  const size_t before = output_.size();
  Write("+5\r\n");
  Note({8, 0, 0}, kOneReplica);
  EXPECT_EQ(held_.limit(), before);
}

TEST_F(HeldRepliesTest, ALaterWriteGoesOnWaitingInItsPlace) {
  Write("+1\r\n");
  Note({1, 0, 0}, kOneReplica);
  now_ns_ = 2'000;
  Write("+2\r\n");
  Note({2, 0, 0}, kOneReplica);
  EXPECT_EQ(Fail(1'000), 1u);
  EXPECT_EQ(output_, "-need1\r\n+2\r\n");
  EXPECT_EQ(Left(), "-need1\r\n");
  EXPECT_TRUE(OnReplicas(1, {2, 0, 0}));
  EXPECT_EQ(Left(), "-need1\r\n+2\r\n");
}

TEST_F(HeldRepliesTest, WhatCannotTimeOutKeepsItsPlaceBeforeWhatDoes) {
  Write("+1\r\n");
  Note({1, 0, 0}, kDisk);
  Write("+2\r\n");
  Note({1, 2, 0}, kOneReplica);
  EXPECT_EQ(Fail(1'000), 1u);
  EXPECT_EQ(output_, "+1\r\n-need1\r\n");
  EXPECT_EQ(Left(), "");
  EXPECT_TRUE(Durable({1, 0, 0}));
  EXPECT_EQ(Left(), output_);
}

TEST_F(HeldRepliesTest, WhatIsMetBehindWhatIsNotDoesNotFail) {
  Write("+1\r\n");
  Note({5, 0, 0}, kOneReplica);
  Write("+2\r\n");
  Note({5, 6, 0}, kOneReplica);
  OnReplicas(1, {4, 6, 0});
  EXPECT_EQ(Fail(1'000), 1u);
  EXPECT_EQ(output_, "-need1\r\n+2\r\n");
  EXPECT_TRUE(held_.Release(progress_, now_ns_, nullptr));
  EXPECT_EQ(Left(), output_);
}

TEST_F(HeldRepliesTest, RepliesThatAreNotThereYetAreWaitedFor) {
  held_.OnCommand(ReplyKind::kRead);
  held_.OnCommand(ReplyKind::kWrite);
  Note({6, 0, 0}, kOneReplica, 2);
  EXPECT_FALSE(held_.HasOverdue(1'000));
  output_ = "+r\r\n+w\r\n";
  Note({6, 0, 0}, kOneReplica);
  EXPECT_EQ(Fail(1'000), 1u);
  EXPECT_EQ(output_, "+r\r\n-need1\r\n");
}

TEST_F(HeldRepliesTest, SilentCommandsHaveNoBytes) {
  Write("+1\r\n");
  Reply(ReplyKind::kSilent, "");
  Read("+3\r\n");
  Note({6, 0, 0}, kOneReplica);
  EXPECT_EQ(Fail(1'000), 1u);
  EXPECT_EQ(output_, "-need1\r\n+3\r\n");
}

// --- Bounds ---

TEST_F(HeldRepliesTest, MemoryIsBoundedHoweverManyWritesWait) {
  const uint64_t many = 3 * HeldReplies::kMaxHolds;
  for (uint64_t i = 1; i <= many; ++i) {
    Write();
    Note({i, 0, 0});
  }
  EXPECT_TRUE(Durable({many - 1, 0, 0}));
  EXPECT_LT(held_.limit(), output_.size()) << "the last write is not durable";
  EXPECT_TRUE(Durable({many, 0, 0}));
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldRepliesTest, PastTheBoundAWriteJoinsAHoldOfItsOwnShard) {
  Write();
  Note({0, 5, 0});
  for (uint64_t i = 2; i <= HeldReplies::kMaxHolds; ++i) {
    Write();
    Note({i, 5, 0});
  }
  const uint64_t last = HeldReplies::kMaxHolds;
  Write();
  Note({last, 9, 0});
  Durable({last, 5, 0});
  EXPECT_FALSE(held_.empty()) << "the other shard's write is not durable";
  Durable({last, 9, 0});
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldRepliesTest, TooManyRepliesAreSeen) {
  for (uint64_t i = 1; i <= HeldReplies::kMaxReplies; ++i) {
    EXPECT_FALSE(held_.full());
    Write();
    Note({i, 0, 0});
  }
  EXPECT_TRUE(held_.full());
  Durable({1, 0, 0});
  EXPECT_FALSE(held_.full());
}

// Against the rules themselves. A byte may leave once all that was written when it was noted is
// met, or has become an error; every command has one reply, in order; and a write's reply is what
// it was or an error, a read's what it was.
TEST(HeldRepliesModelTest, NoReplyLeavesBeforeItsWriteIsMetAndNoneIsLost) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    HeldReplies held;
    FakeProgress progress;
    progress.on_replicas[1] = At({0, 0, 0});
    Watermarks& reached = progress.on_replicas[1];
    Watermarks written = At({0, 0, 0});
    held.Begin(0, 0, written);
    struct Command {
      bool write;
      Watermarks needs;  // What had been written when it had run.
    };
    std::vector<Command> commands;
    std::string output;
    size_t answered = 0;
    const auto text_of = [&](size_t i) { return "$4\r\n" + std::to_string(1000 + i) + "\r\n"; };
    for (int step = 0; step < 200; ++step) {
      const int64_t now_ns = step * 10;
      for (uint64_t n = random() % 4; n > 0; --n) {
        const bool write = random() % 2 == 0;
        held.OnCommand(write ? ReplyKind::kWrite : ReplyKind::kRead);
        if (write) {
          Sequence& one = written[random() % 3];
          one = Sequence(one.value() + 1);
        }
        commands.push_back({.write = write, .needs = written});
      }
      // Some answers are still under way.
      const size_t out = commands.size() - answered;
      for (uint64_t n = out == 0 ? 0 : random() % (out + 1); n > 0; --n)
        output += text_of(answered++);
      held.Note(output.size(), commands.size() - answered, written, kOneReplica, now_ns);
      if (random() % 3 == 0) {
        const size_t shard = random() % 3;
        const uint64_t left = written[shard].value() - reached[shard].value();
        reached[shard] = Sequence(reached[shard].value() + random() % (left + 1));
        held.Release(progress, now_ns, nullptr);
      }
      if (random() % 5 == 0 && held.HasOverdue(now_ns - 100)) {
        const std::string bytes = output.substr(held.limit());
        output.resize(held.limit());
        held.Fail(now_ns - 100, progress, bytes, [&](std::string_view piece, const AckNeed* need) {
          const std::string put = need == nullptr ? std::string(piece) : "-E\r\n";
          output += put;
          return put.size();
        });
      }
      std::string_view rest = std::string_view(output);
      for (size_t i = 0; i < answered; ++i) {
        const size_t size = ReplySize(rest);
        ASSERT_GT(size, 0u) << "seed " << seed;
        const bool error = rest.substr(0, size) == "-E\r\n";
        ASSERT_TRUE(error ? commands[i].write : rest.substr(0, size) == text_of(i))
            << "seed " << seed << " reply " << i << ": " << rest.substr(0, size);
        const bool left = output.size() - rest.size() + size <= held.limit();
        for (size_t shard = 0; shard < 3 && left && commands[i].write && !error; ++shard) {
          const bool own = i == 0 || commands[i].needs[shard] != commands[i - 1].needs[shard];
          ASSERT_TRUE(!own || commands[i].needs[shard] <= reached[shard]) << "seed " << seed;
        }
        rest.remove_prefix(size);
      }
      ASSERT_TRUE(rest.empty()) << "seed " << seed;
    }
    reached = written;
    while (answered < commands.size()) output += text_of(answered++);
    held.Note(output.size(), 0, written, kOneReplica, 10'000);
    held.Release(progress, 10'000, nullptr);
    ASSERT_TRUE(held.empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tidemark::server
