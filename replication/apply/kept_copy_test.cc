#include "replication/apply/kept_copy.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/key_hash.h"
#include "cache/fake_tier.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::replication {
namespace {

using cache::KeyRef;
using cache::State;

constexpr int64_t kNow = 1'700'000'000'000;
constexpr int kPrimaryShards = 4;

// A primary of four shards, of which the snapshot replaces the first and the third.
class KeptCopyTest : public testing::Test {
 protected:
  KeptCopyTest() {
    for (cache::Keyspace* const keyspace : {&served_, &staging_}) {
      keyspace->set_now_ms(kNow);
      keyspace->set_tier(&tier_);
    }
  }
  ~KeptCopyTest() override {
    copy_.reset();
    EXPECT_TRUE(served_.IsConsistent());
    EXPECT_TRUE(staging_.IsConsistent());
  }

  static bool IsKept(const std::string& key) {
    const int shard = ShardOf(key, KeyHash(key), kPrimaryShards).value();
    return shard == 1 || shard == 3;
  }
  // The nth key that is kept, or that is not.
  static std::string Key(int n, bool kept = true) {
    for (int i = 0;; ++i) {
      const std::string key = "key:" + std::to_string(i);
      if (IsKept(key) == kept && n-- == 0) return key;
    }
  }
  void Serve(const std::string& key, const std::string& value,
             const Expiry& expiry = cache::kNoExpiry) {
    served_.ApplySet(KeyRef::Of(key), value, expiry);
  }
  // Many keys of all shards. Returns those that are kept.
  State ServeMany() {
    State kept;
    for (int i = 0; i < 200; ++i) {
      const std::string key = "key:" + std::to_string(i);
      const std::string value = "served:" + std::to_string(i);
      Expiry expiry = i % 3 == 0 ? kNow + i : cache::kNoExpiry;
      if (i % 4 == 0) {
        expiry = Expiry::OfUseAt(kNow, {.idle_ms = 1 + i, .stale_ms = i, .hard_at_ms = kNow + 10});
      }
      Serve(key, value, expiry);
      if (IsKept(key)) kept[key] = {value, expiry};
    }
    return kept;
  }
  void Chill(const std::string& key) {
    const std::string value(served_.Look(KeyRef::Of(key))->value());
    ASSERT_TRUE(served_.MakeCold(KeyRef::Of(key), value, tier_.Put(key, value)));
  }
  KeptCopy& Begin() {
    return copy_.emplace(std::vector{false, true, false, true}, &served_, &staging_);
  }
  void CopyAll() {
    for (int slices = 0; copy_->CopySome(10); ++slices) {
      tier_.FinishAll();
      ASSERT_LT(slices, 1'000);
    }
  }
  // The stream changes the key in staging, as ShardApplier has it do.
  void Stream(const std::string& key, const std::string& value) {
    copy_->Before(KeyRef::Of(key));
    staging_.ApplySet(KeyRef::Of(key), value, cache::kNoExpiry);
  }
  State Staged() { return cache::StateOf(staging_); }

  cache::FakeTier tier_;
  cache::Keyspace served_{{.effects_only = true}};
  cache::Keyspace staging_{{.effects_only = true}};
  std::optional<KeptCopy> copy_;
};

TEST_F(KeptCopyTest, CopiesTheKeysOfTheShardsThatAreKeptWithTheirExpiries) {
  const State kept = ServeMany();
  ASSERT_GT(kept.size(), 50u);
  ASSERT_LT(kept.size(), 150u);
  Begin();
  EXPECT_TRUE(copy_->CopySome(10));
  EXPECT_LT(staging_.size(), kept.size());
  CopyAll();
  EXPECT_EQ(Staged(), kept);
  EXPECT_FALSE(copy_->CopySome(10)) << "it is complete";
  EXPECT_EQ(served_.size(), 200u);
}

TEST_F(KeptCopyTest, SaysWhichKeysAreKept) {
  Begin();
  for (const bool kept : {true, false}) {
    const std::string key = Key(0, kept);
    EXPECT_EQ(copy_->IsKept(key, KeyHash(key)), kept);
  }
  // By the tag, as the primary shards it.
  EXPECT_TRUE(copy_->IsKept("{" + Key(0) + "}", KeyHash("{" + Key(0) + "}")));
}

TEST_F(KeptCopyTest, ACopyNeverLandsOnSomethingNewer) {
  State expected = ServeMany();
  Begin();
  for (int n = 0; n < 40; ++n) {
    Stream(Key(n), "newer");
    expected[Key(n)] = {"newer", cache::kNoExpiry};
    copy_->CopySome(3);
  }
  CopyAll();
  EXPECT_EQ(Staged(), expected);
}

// What the stream deletes must not come back with the copy.
TEST_F(KeptCopyTest, WhatTheStreamDeletesStaysDeleted) {
  State expected = ServeMany();
  Begin();
  for (int n = 0; n < 40; ++n) {
    copy_->Before(KeyRef::Of(Key(n)));
    staging_.ApplyDelete(KeyRef::Of(Key(n)));
    expected.erase(Key(n));
  }
  CopyAll();
  EXPECT_EQ(Staged(), expected);
}

// An expiry or a part of a value is changed in what is there: it has to be there.
TEST_F(KeptCopyTest, WhatIsAboutToChangeInPartIsCopiedFirst) {
  Serve(Key(0), "served");
  Begin();
  copy_->Before(KeyRef::Of(Key(0)));
  staging_.ApplyExpiry(KeyRef::Of(Key(0)), kNow + 5);
  EXPECT_EQ(Staged(), (State{{Key(0), {"served", kNow + 5}}}));
}

TEST_F(KeptCopyTest, AfterAStopNothingMoreIsCopied) {
  ServeMany();
  Begin();
  copy_->CopySome(10);
  copy_->Stop();
  staging_.ApplyFlush();
  EXPECT_FALSE(copy_->CopySome(10));
  copy_->Before(KeyRef::Of(Key(0)));
  EXPECT_EQ(Staged(), State());
  EXPECT_FALSE(served_.walking());
}

TEST_F(KeptCopyTest, EndsAWalkThatIsUnderWayAndLeavesALaterOneAlone) {
  ServeMany();
  cache::WalkRecorder digest;
  served_.BeginWalk(&digest);
  Begin();
  EXPECT_FALSE(served_.walking(&digest));
  CopyAll();
  served_.BeginWalk(&digest);
  copy_.reset();
  EXPECT_TRUE(served_.walking(&digest));
  served_.CancelWalk();
}

// --- Values on disk ---

TEST_F(KeptCopyTest, ValuesOnDiskAreCopiedWhenTheyCome) {
  Serve(Key(0), "on disk", kNow + 5);
  Chill(Key(0));
  Begin();
  EXPECT_TRUE(copy_->CopySome(1'000));
  EXPECT_EQ(Staged(), State());
  CopyAll();
  EXPECT_EQ(Staged(), (State{{Key(0), {"on disk", kNow + 5}}}));
}

TEST_F(KeptCopyTest, AValueOnDiskIsWaitedForWhereTheStreamChangesIt) {
  Serve(Key(0), "on disk");
  Chill(Key(0));
  Begin();
  copy_->Before(KeyRef::Of(Key(0)));
  EXPECT_EQ(Staged(), (State{{Key(0), {"on disk", cache::kNoExpiry}}}));
}

// The walk has come by, and its read is under way when the stream changes the key.
TEST_F(KeptCopyTest, AValueThatComesLateDoesNotLandOnSomethingNewer) {
  Serve(Key(0), "on disk");
  Chill(Key(0));
  Begin();
  EXPECT_TRUE(copy_->CopySome(1'000));
  EXPECT_EQ(tier_.reads_under_way(), 1u);
  Stream(Key(0), "newer");
  CopyAll();
  EXPECT_EQ(Staged(), (State{{Key(0), {"newer", cache::kNoExpiry}}}));
}

// A promotion changes where the value is, not what it is.
TEST_F(KeptCopyTest, AValueThatCameBackToMemoryMeanwhileIsCopied) {
  Serve(Key(0), "on disk");
  Chill(Key(0));
  Begin();
  EXPECT_TRUE(copy_->CopySome(1'000));
  ASSERT_TRUE(served_.WarmNow(KeyRef::Of(Key(0)), served_.Look(KeyRef::Of(Key(0)))->location()));
  CopyAll();
  EXPECT_EQ(Staged(), (State{{Key(0), {"on disk", cache::kNoExpiry}}}));
}

TEST_F(KeptCopyTest, AValueThatCannotBeReadIsMissing) {
  for (const int n : {0, 1}) {
    Serve(Key(n), "on disk");
    Chill(Key(n));
  }
  tier_.Damage(served_.Look(KeyRef::Of(Key(0)))->location());
  Begin();
  CopyAll();
  EXPECT_EQ(Staged(), (State{{Key(1), {"on disk", cache::kNoExpiry}}}));
}

}  // namespace
}  // namespace tidemark::replication
