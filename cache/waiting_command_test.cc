#include "cache/waiting_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cache/engine_test_util.h"
#include "cache/fake_tier.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// One shard. Nothing comes from disk unless the test says so. Each test runs on the shard's thread.
class WaitingCommandTest : public testing::Test {
 protected:
  template <typename Work>
  auto On(Work work) {
    return OnShard(engine_, ShardId(0), std::move(work));
  }

  WaitingCommandTest() : engine_(Engine::Options()) {
    engine_.shard(ShardId(0)).AttachTier({}, &tier_);
    engine_.Start();
  }
  ~WaitingCommandTest() override {
    On([](Shard& shard) { EXPECT_TRUE(shard.locks_empty()); });
    EXPECT_EQ(commands_, 0) << "a command was not deleted";
    engine_.Stop();
  }

  // Reads some keys, all of which it has locked, and writes down what it saw.
  class Reading final : public WaitingCommand {
   public:
    Reading(WaitingCommandTest& test, std::vector<std::string> keys)
        : WaitingCommand(LocksOf(keys)), test_(test), keys_(std::move(keys)) {
      ++test_.commands_;
    }
    ~Reading() override { --test_.commands_; }

   private:
    static LockTable::Request LocksOf(const std::vector<std::string>& keys) {
      std::vector<uint64_t> hashes;
      for (const std::string& key : keys) hashes.push_back(KeyHash(key));
      return LockTable::Request::Keys(std::move(hashes), LockMode::kExclusive);
    }
    bool Run(Shard& shard) override {
      std::string seen;
      bool whole = true;
      for (const std::string& key : keys_) {
        const Entry* entry = shard.keyspace().Look(KeyRef::Of(key));
        if (entry == nullptr) {
          seen += key + " is gone.";
        } else if (!entry->cold()) {
          seen += key + "=" + std::string(entry->value().substr(0, 1)) + ".";
        } else if (const auto* value = shard.cold_access().Look(*entry); value == nullptr) {
          whole = false;
        } else {
          seen += key + (value->ok() ? "=" + std::string((*value)->bytes.substr(0, 1)) + "."
                                     : " is lost.");
        }
      }
      test_.events_.push_back(whole ? seen : "waits for " + keys_[0]);
      return whole;
    }
    void Finish(Shard& shard) override {
      test_.events_.push_back("finish " + keys_[0]);
      test_.locks_left_ = !shard.locks_empty();
      delete this;
    }

    WaitingCommandTest& test_;
    const std::vector<std::string> keys_;
  };

  // Something that holds a key's lock until it is told to let go.
  class Holder final : public LockHolder {
   public:
    explicit Holder(const std::string& key)
        : LockHolder(LockTable::Request::Keys({KeyHash(key)}, LockMode::kExclusive)) {}
    void OnGranted(Shard& shard) override {}
  };

  void Begin(std::vector<std::string> keys) {
    On([&](Shard& shard) { shard.Acquire(new Reading(*this, std::move(keys))); });
  }
  void Chill(const std::string& key) {
    On([&](Shard& shard) {
      const KeyRef ref = KeyRef::Of(key);
      shard.keyspace().Set(ref, std::string(100, key[0]), kNoExpiry);
      ASSERT_TRUE(shard.cold_values()->Take(*shard.keyspace().Look(ref), ref.hash));
      ASSERT_TRUE(tier_.FinishWrite());
      ASSERT_TRUE(shard.keyspace().Look(ref)->cold());
    });
  }
  void FinishRead() {
    On([&](Shard&) { ASSERT_TRUE(tier_.FinishRead()); });
  }
  // What has happened since the last call.
  std::vector<std::string> Events() {
    On([](Shard&) {});  // What is granted runs in the turn of the task before.
    return On([&](Shard&) { return std::exchange(events_, {}); });
  }

  FakeTier tier_;
  Engine engine_;
  // On the shard's thread.
  std::vector<std::string> events_;
  bool locks_left_ = false;  // When the latest finished.
  int commands_ = 0;
};

TEST_F(WaitingCommandTest, RunsAtOnceWhereNothingIsInTheWay) {
  On([](Shard& shard) { shard.keyspace().Set(KeyRef::Of("k"), "value", kNoExpiry); });
  Begin({"k"});
  EXPECT_THAT(Events(), ElementsAre("k=v.", "finish k"));
  EXPECT_FALSE(locks_left_) << "its locks are released before it finishes";
}

TEST_F(WaitingCommandTest, RunsWhenItsLockIsReleased) {
  Holder holder("k");
  On([&](Shard& shard) { shard.Acquire(&holder); });
  Begin({"k"});
  EXPECT_THAT(Events(), IsEmpty());
  On([&](Shard& shard) { shard.Release(&holder); });
  EXPECT_THAT(Events(), ElementsAre("k is gone.", "finish k"));
}

TEST_F(WaitingCommandTest, RunsAgainWithTheValueThatItNeeds) {
  Chill("a");
  Begin({"a"});
  EXPECT_THAT(Events(), ElementsAre("waits for a"));
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("a=a.", "finish a"));
}

TEST_F(WaitingCommandTest, HoldsItsLocksWhileItWaitsAndNobodyElses) {
  Chill("a");
  Begin({"a"});
  Begin({"a"});
  Begin({"b"});
  EXPECT_THAT(Events(), ElementsAre("waits for a", "b is gone.", "finish b"));
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("a=a.", "finish a", "waits for a"));
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("a=a.", "finish a"));
}

TEST_F(WaitingCommandTest, WaitsUntilAllOfItsValuesAreThere) {
  Chill("a");
  Chill("b");
  Begin({"a", "b"});
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("waits for a"));
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("a=a.b=b.", "finish a"));
}

// No lock keeps a flush, an expiry or a replica's primary from changing it.
TEST_F(WaitingCommandTest, MeetsWhatHasChangedWhileItWaited) {
  Chill("a");
  Chill("b");
  Begin({"a", "b"});
  On([](Shard& shard) { shard.keyspace().ApplyDelete(KeyRef::Of("a")); });
  Chill("b");  // Another value, at another location.
  FinishRead();
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("waits for a", "waits for a"));
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("a is gone.b=b.", "finish a"));
}

TEST_F(WaitingCommandTest, RunsWithTheErrorOfAValueThatCannotBeRead) {
  Chill("a");
  On([&](Shard& shard) { tier_.Damage(shard.keyspace().Look(KeyRef::Of("a"))->location()); });
  Begin({"a"});
  FinishRead();
  EXPECT_THAT(Events(), ElementsAre("waits for a", "a is lost.", "finish a"));
}

TEST_F(WaitingCommandTest, WhatWasReadForItIsNobodyElses) {
  Chill("a");
  Begin({"a"});
  const auto is_staged = [&] {
    return On([](Shard& shard) {
      const Entry* const entry = shard.keyspace().Look(KeyRef::Of("a"));
      const bool staged = shard.cold_access().Look(*entry) != nullptr;
      shard.cold_access().TakeNeeded();
      return staged;
    });
  };
  EXPECT_FALSE(is_staged());
  FinishRead();
  EXPECT_FALSE(is_staged());
}

}  // namespace
}  // namespace tidemark::cache
