#include "integration/harness/owned_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/key_hash.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;

// Follows SETs, MSETs and counters of an OwnedKeys; a plain server.
class Follower {
 public:
  explicit Follower(const OwnedKeys& keys) : keys_(keys), states_(keys.keys().size()) {}
  // Commands until one is a SET of a value without expiry; returns its key.
  void Put(const std::string& key, const std::string& value) { state(key) = {value, 0}; }
  OwnedKeys::State& state(const std::string& key) {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (keys_.keys()[i] == key) return states_[i];
    }
    return nowhere_;
  }
  const std::vector<OwnedKeys::State>& states() const { return states_; }

 private:
  const OwnedKeys& keys_;
  std::vector<OwnedKeys::State> states_;
  OwnedKeys::State nowhere_;
};

// Draws commands until one of that name, all before it without effect: the model begins anew.
std::vector<std::string> First(OwnedKeys& keys, const std::string& name, size_t words) {
  for (;;) {
    keys.Settle(std::vector<OwnedKeys::State>(keys.keys().size()));
    std::vector<std::string> command = keys.Next(1000);
    if (command[0] == name && command.size() == words && !command[1].ends_with("brief")) {
      return command;
    }
  }
}

TEST(OwnedKeysTest, AWriteThatWasNotRepliedMayBeThereOrNot) {
  for (const bool there : {false, true}) {
    OwnedKeys keys("k", 1, 1);
    const std::vector<std::string> set = First(keys, "SET", 3);
    Follower follower(keys);
    if (there) follower.Put(set[1], set[2]);
    EXPECT_EQ(keys.Settle(follower.states()), "");
  }
}

TEST(OwnedKeysTest, AWriteThatMustBeKeptIsMissed) {
  OwnedKeys keys("k", 1, 1);
  First(keys, "SET", 3);
  keys.OnReplied();
  keys.MustKeep(keys.replied());
  EXPECT_THAT(keys.Settle(Follower(keys).states()), HasSubstr("never held"));
}

TEST(OwnedKeysTest, AValueThatWasNeverWrittenIsSeen) {
  OwnedKeys keys("k", 1, 1);
  const std::vector<std::string> set = First(keys, "SET", 3);
  Follower follower(keys);
  follower.Put(set[1], "something else");
  EXPECT_THAT(keys.Settle(follower.states()), HasSubstr("never held"));
}

TEST(OwnedKeysTest, AHoleIsSeen) {
  OwnedKeys keys("k", 1, 1);
  const std::vector<std::string> first = First(keys, "SET", 3);
  std::vector<std::string> second;
  do {
    second = keys.Next(1000);
  } while (second[0] != "SET" || second.size() != 3 || second[1] == first[1]);
  Follower follower(keys);
  follower.Put(second[1], second[2]);
  EXPECT_NE(keys.Settle(follower.states()), "");
}

TEST(OwnedKeysTest, HalfATransactionIsSeen) {
  for (const bool half : {false, true}) {
    OwnedKeys keys("k", 2, 1);
    const std::vector<std::string> set = First(keys, "MSET", 11);
    Follower follower(keys);
    for (size_t i = 1; i < set.size(); i += 2) {
      const bool first_shard = ShardOf(set[i], KeyHash(set[i]), 2).value() == 0;
      if (first_shard || !half) follower.Put(set[i], set[i + 1]);
    }
    EXPECT_THAT(keys.Settle(follower.states()), half ? HasSubstr("not on all") : HasSubstr(""));
  }
}

}  // namespace
}  // namespace tidemark::integration
