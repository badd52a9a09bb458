#include "replication/snapshot_producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/sanitizers.h"
#include "cache/fake_tier.h"
#include "cache/keyspace.h"
#include "replication/test_follower.h"

namespace tidemark::replication {
namespace {

using cache::KeyRef;

constexpr HistoryId kHistory(7);

class CountingWaker final : public LinkWaker {
 public:
  void Wake() override {}
  void WakeShard(ShardId) override { ++shard_wakes; }
  int shard_wakes = 0;
};

using Replica = TestFollower;

// None, a moment, or one with extras.
Expiry RandomExpiry(std::mt19937_64& random, int64_t now_ms) {
  const uint64_t kind = random() % 4;
  if (kind < 2) return static_cast<int64_t>(kind * 5'000);
  const auto up_to = [&](uint64_t ms) { return static_cast<int64_t>(1 + random() % ms); };
  return Expiry::OfUseAt(now_ms, {.idle_ms = kind == 2 ? up_to(3'000) : 0,
                                  .stale_ms = up_to(500),
                                  .hard_at_ms = up_to(9'000)});
}

// A snapshot file: keeps the chunks that it gets.
class File final : public ChunkTarget {
 public:
  bool active() const override { return !given_up; }
  bool HasRoom(ShardId) override { return room; }
  void Cancel() override { given_up = true; }
  void Take(const FrameRef& chunk, size_t displaced_bytes, Sequence through) override {
    displaced += displaced_bytes;
    needed_through = through;
    chunks.push_back(chunk);
  }
  bool complete() const { return !chunks.empty() && chunks.back()->is_last_chunk(); }
  // The snapshot's keys; every key once, FIRST and LAST where they belong, one watermark.
  KeyMap Read() const {
    StreamReader reader;
    for (const FrameRef& chunk : chunks) {
      const absl::Status taken = reader.Take(*chunk);
      EXPECT_TRUE(taken.ok()) << taken;
    }
    EXPECT_TRUE(reader.synced());
    return reader.state();
  }
  Sequence watermark() const { return chunks.front()->last_sequence(); }

  bool given_up = false;
  bool room = true;
  size_t displaced = 0;
  Sequence needed_through;
  std::vector<FrameRef> chunks;
};

// One shard of a primary, turned by hand.
class Primary {
 public:
  explicit Primary(SnapshotProducer::Options options = {.chunk_bytes = 4096, .slice_bytes = 500})
      : producer_(options, &keyspace_, &publisher_) {}

  // Most tests look at what is sent, not at the pace: their replicas need not take it at once.
  std::unique_ptr<Replica> Join(Subscriber::Options options = {.walk_bytes = 64 << 20}) {
    auto replica = std::make_unique<Replica>();
    if (keyspace_.has_tier()) replica->reader.AllowLateEntries();
    replica->subscriber = std::make_shared<Subscriber>(options, &waker);
    EXPECT_EQ(publisher_.Subscribe(replica->subscriber, {}).kind, Join::Kind::kSnapshot);
    return replica;
  }
  std::shared_ptr<File> JoinFile() {
    Leave(*Join());  // From the first subscriber on, frames are made.
    auto file = std::make_shared<File>();
    producer_.RequestChunks(file);
    return file;
  }
  void Leave(Replica& replica) { publisher_.Unsubscribe(replica.subscriber.get()); }

  void Set(const std::string& key, const std::string& value) {
    keyspace_.Set(KeyRef::Of(key), value, 0);
  }
  void Fill(int keys, size_t value_bytes = 50) {
    for (int i = 0; i < keys; ++i) Set("key" + std::to_string(i), std::string(value_bytes, 'v'));
  }
  bool Turn() {
    publisher_.OnTurnEnd(1000);
    return producer_.DoSlice();
  }
  // Turns until there is nothing to do, with `replica` taking what comes.
  void RunUntilIdle(Replica& replica) {
    for (int turns = 0; Turn() || producer_.walking(); ++turns) {
      ASSERT_LT(turns, 100'000);
      replica.TakeAll();
      FinishReads();
    }
    publisher_.OnTurnEnd(1000);
    replica.TakeAll();
  }
  void RunUntilIdle() {
    for (int turns = 0; Turn() || producer_.walking(); ++turns) {
      ASSERT_LT(turns, 100'000);
      FinishReads();
    }
  }
  KeyMap State() {
    KeyMap map;
    keyspace_.VisitAll([&](const cache::Entry& entry) {
      const std::string key(entry.key());
      const std::string value(entry.cold() ? tier_.ReadNow(key, entry.location())->bytes
                                           : entry.value());
      map[key] = {value, entry.expiry()};
    });
    return map;
  }

  // --- Values on disk, whose reads are answered by WanderSome() or FinishReads() alone. ---
  void UseTier() { keyspace_.set_tier(&tier_); }
  // Takes the value of `key` into memory, as whoever changes a part of it does.
  void Warm(KeyRef key) {
    const cache::Entry* entry = keyspace_.Look(key);
    if (entry == nullptr || !entry->cold()) return;
    const tier::ValueLocation at = entry->location();
    EXPECT_TRUE(keyspace_.MakeWarm(key, at, tier_.ReadNow(key.key, at)->bytes));
  }
  // Some values move to disk, some reads are answered.
  void WanderSome(std::mt19937_64& random) {
    if (!keyspace_.has_tier()) return;
    for (uint64_t n = random() % 40; n > 0; --n) {
      const std::string name = "key" + std::to_string(random() % 700);
      const KeyRef key = KeyRef::Of(name);
      const cache::Entry* entry = keyspace_.Look(key);
      if (entry == nullptr || entry->cold()) continue;
      const std::string value(entry->value());
      EXPECT_TRUE(keyspace_.MakeCold(key, value, tier_.Put(name, value)));
    }
    for (uint64_t n = random() % 20; n > 0; --n) tier_.FinishRead(random() % 7);
  }
  void DamageAll() {
    keyspace_.VisitAll([&](const cache::Entry& entry) {
      if (entry.cold()) tier_.Damage(entry.location());
    });
  }
  void FinishReads() { tier_.FinishAll(); }

  cache::Keyspace& keyspace() { return keyspace_; }
  ShardPublisher& publisher() { return publisher_; }
  SnapshotProducer& producer() { return producer_; }

  CountingWaker waker;

 private:
  BacklogBudget budget_{10'000, 1};  // Far less than what is written during a snapshot.
  ShardPublisher publisher_{
      {.history = kHistory, .limits = {.max_records = 8}, .budget = &budget_}};
  cache::FakeTier tier_;
  cache::Keyspace keyspace_{{.sink = &publisher_, .effects_only = false, .random_seed = 1}};
  SnapshotProducer producer_;
};

TEST(SnapshotProducerTest, EmptyShardIsOneEmptyChunk) {
  Primary primary;
  const auto replica = primary.Join();
  primary.RunUntilIdle(*replica);
  EXPECT_TRUE(replica->reader.synced());
  EXPECT_EQ(replica->reader.chunks(), 1);
  EXPECT_TRUE(replica->reader.state().empty());
  EXPECT_EQ(primary.producer().completed(), 1u);
}

TEST(SnapshotProducerTest, QuietShardArrivesWholeInChunksOfTheSizeAskedFor) {
  Primary primary;
  primary.Fill(1000);
  const auto replica = primary.Join();
  primary.RunUntilIdle(*replica);
  EXPECT_TRUE(replica->reader.synced());
  EXPECT_EQ(replica->reader.state(), primary.State());
  EXPECT_EQ(replica->reader.applied(), Sequence(1000));
  EXPECT_THAT(replica->reader.chunks(), testing::AllOf(testing::Ge(10), testing::Le(20)));
}

// The heart of it: any mix of writes, at any moment of any number of walks.
TEST(SnapshotProducerTest, ReplicaHoldsTheExactStateAtEveryMomentAfterTheLastChunk) {
  for (uint64_t seed = 1; seed <= Scaled(60u, 20u); ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Primary primary({.chunk_bytes = 4096, .slice_bytes = 1 + random() % 3000});
    if (seed % 2 == 0) primary.UseTier();
    cache::Keyspace& keys = primary.keyspace();
    keys.set_now_ms(1000);
    primary.Fill(static_cast<int>(random() % 600), 1 + random() % 100);
    std::vector<std::unique_ptr<Replica>> replicas;
    const bool flushes = random() % 3 == 0;
    for (int turn = 0; turn < 150; ++turn) {
      if (replicas.size() < 3 && random() % 20 == 0) replicas.push_back(primary.Join());
      for (uint64_t n = random() % 12; n > 0; --n) {
        const std::string name = "key" + std::to_string(random() % 700);
        const KeyRef key = KeyRef::Of(name);
        const std::string value(random() % 200, 'w');
        switch (random() % 8) {
          case 0:
            keys.Delete(key);
            break;
          case 1:
            primary.Warm(key);
            keys.SetRange(key, random() % 50, value);
            break;
          case 2:
            keys.SetExpiry(key, RandomExpiry(random, keys.now_ms()));
            break;
          case 3:
            keys.SetKeepExpiry(key, value);
            break;
          case 4:
            primary.publisher().BeginTransaction({random(), {ShardId(0)}});
            keys.Set(key, value, 0);
            keys.Delete(key);
            primary.publisher().EndTransaction();
            break;
          case 5:
            keys.Find(key);  // Which may move its moment.
            break;
          default:
            keys.Set(key, value, RandomExpiry(random, keys.now_ms()));
        }
      }
      if (flushes && random() % 40 == 0) keys.Flush();
      if (random() % 10 == 0) {
        keys.set_now_ms(keys.now_ms() + 100);
        keys.ExpireSome(20);
      }
      primary.WanderSome(random);
      primary.Turn();
      keys.Housekeeping(10);
      for (const auto& replica : replicas) {
        replica->TakeAll();
        ASSERT_FALSE(HasFatalFailure());
        if (replica->reader.synced() && !keys.walking()) {
          ASSERT_EQ(replica->reader.state(), primary.State());
          ASSERT_EQ(replica->reader.applied(), primary.publisher().assigned());
        }
      }
    }
    for (const auto& replica : replicas) {
      primary.RunUntilIdle(*replica);
      EXPECT_TRUE(replica->reader.synced());
      EXPECT_EQ(replica->reader.state(), primary.State());
      EXPECT_EQ(replica->reader.digest(), primary.publisher().digest());
    }
  }
}

TEST(SnapshotProducerTest, FlushEndsTheSnapshotAfterItsFrame) {
  Primary primary;
  primary.Fill(1000);
  const auto replica = primary.Join();
  primary.Turn();
  primary.keyspace().Flush();
  primary.Set("after", "flush");
  EXPECT_TRUE(primary.producer().walking());
  primary.Turn();
  EXPECT_FALSE(primary.producer().walking());
  replica->TakeAll();
  EXPECT_TRUE(replica->reader.synced());
  EXPECT_EQ(replica->reader.state(), (KeyMap{{"after", {"flush", 0}}}));
}

TEST(SnapshotProducerTest, LastChunkFollowsEveryMutationThoughItsFrameWasStillOpen) {
  Primary primary;
  primary.Fill(1000);
  const auto replica = primary.Join();
  primary.Turn();
  primary.keyspace().Flush();
  EXPECT_FALSE(primary.producer().DoSlice());
  replica->TakeAll();
  EXPECT_TRUE(replica->reader.synced());
  EXPECT_EQ(replica->reader.applied(), primary.publisher().assigned());
  EXPECT_EQ(replica->reader.state(), primary.State());
}

TEST(SnapshotProducerTest, WalkPausesWhileTheQueueIsHalfFullAndGoesOnWhenWoken) {
  Primary primary;
  primary.Fill(2000);
  const auto replica = primary.Join({.max_bytes = 20'000});
  int turns = 0;
  while (primary.Turn()) ASSERT_LT(++turns, 10'000);
  EXPECT_TRUE(primary.producer().walking());
  EXPECT_GE(replica->subscriber->queued_bytes(), 10'000u);
  EXPECT_LE(replica->subscriber->queued_bytes(), 10'000u + 2 * 4096u);
  EXPECT_EQ(primary.waker.shard_wakes, 0);
  replica->TakeAll();
  EXPECT_EQ(primary.waker.shard_wakes, 1);
  EXPECT_TRUE(primary.Turn());
  primary.RunUntilIdle(*replica);
  EXPECT_EQ(replica->reader.state(), primary.State());
  EXPECT_LE(replica->subscriber->high_watermark_bytes(), 10'000u + 2 * 4096u);
}

TEST(SnapshotProducerTest, ChunksOfTheWalkNeverCutAndDisplacedEntriesDo) {
  Primary primary;
  for (int i = 0; i < 50; ++i) primary.Set("big" + std::to_string(i), std::string(10'000, 'v'));
  const auto replica = primary.Join({.max_bytes = 20'000});
  while (primary.Turn()) {
  }
  EXPECT_TRUE(replica->subscriber->active());
  EXPECT_TRUE(primary.producer().walking());
  // Tiny mutations, large entries that leave before them.
  for (int i = 0; i < 50; ++i) {
    const std::string key = "big" + std::to_string(i);
    primary.keyspace().Delete(KeyRef::Of(key));
    primary.Turn();
  }
  EXPECT_EQ(replica->subscriber->cause(), CutCause::kTooManyBytes);
  EXPECT_FALSE(primary.producer().walking());
}

TEST(SnapshotProducerTest, ThoseWhoAskInTimeShareAWalkOthersWaitForTheNext) {
  Primary primary;
  primary.Fill(500);
  const auto first = primary.Join(), second = primary.Join();
  primary.Turn();
  const auto late = primary.Join();
  EXPECT_EQ(primary.producer().waiting(), 1u);
  primary.RunUntilIdle(*first);
  EXPECT_EQ(primary.producer().completed(), 2u);
  second->TakeAll();
  late->TakeAll();
  for (const Replica* replica : {first.get(), second.get(), late.get()}) {
    EXPECT_TRUE(replica->reader.synced());
    EXPECT_EQ(replica->reader.state(), primary.State());
  }
}

TEST(SnapshotProducerTest, WalkEndsWithItsLastSubscriber) {
  Primary primary;
  primary.Fill(500);
  const auto leaves = primary.Join(), is_cut = primary.Join();
  primary.Turn();
  primary.Leave(*leaves);
  EXPECT_TRUE(primary.producer().walking());
  is_cut->subscriber->Cut(CutCause::kClosed);
  EXPECT_FALSE(primary.Turn());
  EXPECT_FALSE(primary.keyspace().walking());
  EXPECT_EQ(primary.producer().aborted(), 1u);
  EXPECT_EQ(is_cut->subscriber.use_count(), 1);
  EXPECT_EQ(leaves->subscriber.use_count(), 1);

  const auto next = primary.Join();
  primary.RunUntilIdle(*next);
  EXPECT_EQ(next->reader.state(), primary.State());
}

TEST(SnapshotProducerTest, WaitsForAnotherWalkOfTheKeyspace) {
  struct Nobody : cache::WalkVisitor {
    void OnEntry(const cache::Entry&) override {}
    void OnUnreadable(const cache::Entry&, const absl::Status&) override {}
  } digest;
  Primary primary;
  primary.Fill(100);
  const auto replica = primary.Join();
  primary.keyspace().BeginWalk(&digest);
  EXPECT_FALSE(primary.Turn());
  EXPECT_EQ(primary.producer().waiting(), 1u);
  while (!primary.keyspace().WalkSome(10)) {
  }
  primary.RunUntilIdle(*replica);
  EXPECT_EQ(replica->reader.state(), primary.State());
}

TEST(SnapshotProducerTest, FileHoldsExactlyTheStateAtItsWatermarkWhateverIsWrittenMeanwhile) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Primary primary({.chunk_bytes = 4096, .slice_bytes = 1 + random() % 2000});
    if (seed % 2 == 0) primary.UseTier();
    cache::Keyspace& keys = primary.keyspace();
    keys.set_now_ms(1000);
    primary.Fill(static_cast<int>(200 + random() % 600), 1 + random() % 100);
    primary.WanderSome(random);
    // A replica may share the walk: it gets what it would get anyway. With a tier it would go
    // first.
    const auto replica = random() % 2 == 0 && seed % 2 != 0 ? primary.Join() : nullptr;
    const auto file = primary.JoinFile();
    const KeyMap before = primary.State();
    const Sequence watermark = primary.publisher().assigned();
    for (int turn = 0; primary.Turn() || primary.producer().walking(); ++turn) {
      ASSERT_LT(turn, 10'000);
      primary.WanderSome(random);
      for (uint64_t n = random() % 8; n > 0; --n) {
        const std::string name = "key" + std::to_string(random() % 900);
        const KeyRef key = KeyRef::Of(name);
        switch (random() % 4) {
          case 0:
            keys.Delete(key);
            break;
          case 1:
            primary.Warm(key);
            keys.SetRange(key, random() % 50, "range");
            break;
          case 2:
            keys.SetExpiry(key, 5000);
            break;
          default:
            keys.Set(key, std::string(random() % 200, 'w'), 0);
        }
      }
      if (replica != nullptr) replica->TakeAll();
    }
    ASSERT_TRUE(file->complete());
    EXPECT_EQ(file->watermark(), watermark);
    EXPECT_EQ(file->needed_through, watermark);
    EXPECT_EQ(file->Read(), before);
    EXPECT_EQ(file.use_count(), 1);
    if (replica == nullptr) continue;
    primary.RunUntilIdle(*replica);
    EXPECT_EQ(replica->reader.state(), primary.State());
  }
}

TEST(SnapshotProducerTest, SubscribersGoBeforeFilesWhereValuesAreOnDisk) {
  Primary primary;
  primary.UseTier();
  primary.Fill(100);
  const auto file = primary.JoinFile();
  const auto replica = primary.Join();
  primary.RunUntilIdle(*replica);
  EXPECT_TRUE(replica->reader.synced());
  EXPECT_TRUE(file->complete());
  EXPECT_EQ(primary.producer().completed(), 2u);
  EXPECT_EQ(file->Read(), primary.State());
}

TEST(SnapshotProducerTest, AValueThatCannotBeReadEndsAFileAndNotASubscriber) {
  std::mt19937_64 random(7);
  Primary primary;
  primary.UseTier();
  primary.Fill(700);
  while (primary.keyspace().cold_size() == 0) primary.WanderSome(random);
  primary.DamageAll();
  const size_t damaged = primary.keyspace().cold_size();
  const auto replica = primary.Join();
  const auto file = primary.JoinFile();
  primary.RunUntilIdle(*replica);
  EXPECT_TRUE(file->given_up);
  EXPECT_FALSE(file->complete());
  EXPECT_TRUE(replica->reader.synced());
  EXPECT_EQ(replica->reader.state().size(), 700 - damaged);
}

TEST(SnapshotProducerTest, FileAloneGetsFullChunksHoweverManyFramesLeave) {
  Primary primary;
  primary.Fill(1000);
  const auto file = primary.JoinFile();
  for (int i = 999; primary.Turn(); --i) primary.Set("key" + std::to_string(i), "changed");
  EXPECT_GT(file->displaced, 0u);
  EXPECT_THAT(file->chunks.size(), testing::AllOf(testing::Ge(10u), testing::Le(20u)));
}

TEST(SnapshotProducerTest, FlushEndsAFileThatThenNeedsTheLogThroughTheFlush) {
  Primary primary;
  primary.Fill(1000);
  const auto file = primary.JoinFile();
  primary.Turn();
  primary.keyspace().Flush();
  primary.Set("after", "flush");
  primary.RunUntilIdle();
  ASSERT_TRUE(file->complete());
  EXPECT_LT(file->Read().size(), 1000u);
  EXPECT_EQ(file->watermark(), Sequence(1000));
  EXPECT_EQ(file->needed_through, Sequence(1002));
}

TEST(SnapshotProducerTest, WalkPausesForAFileWithoutRoomAndEndsWhenItGivesUp) {
  Primary primary;
  primary.Fill(1000);
  const auto file = primary.JoinFile();
  EXPECT_TRUE(primary.Turn());
  file->room = false;
  EXPECT_FALSE(primary.Turn());
  EXPECT_TRUE(primary.producer().walking());
  file->room = true;
  EXPECT_TRUE(primary.Turn());
  file->given_up = true;
  EXPECT_FALSE(primary.Turn());
  EXPECT_FALSE(primary.producer().walking());
  EXPECT_EQ(primary.producer().aborted(), 1u);
  EXPECT_EQ(file.use_count(), 1);

  const auto next = primary.JoinFile();
  primary.RunUntilIdle();
  EXPECT_EQ(next->Read(), primary.State());
}

TEST(SnapshotProducerTest, EmptyShardIsAFileOfOneEmptyChunk) {
  Primary primary;
  const auto file = primary.JoinFile();
  primary.RunUntilIdle();
  ASSERT_EQ(file->chunks.size(), 1u);
  EXPECT_TRUE(file->chunks[0]->is_first_chunk());
  EXPECT_TRUE(file->complete());
  EXPECT_EQ(file->watermark(), Sequence());
}

}  // namespace
}  // namespace tidemark::replication
