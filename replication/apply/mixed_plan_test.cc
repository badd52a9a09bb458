// Mixed plans at the replica: every choice of shards that get a snapshot, for every number of
// shards here, with a stream of sets, deletions, transactions over shards and flushes before the
// snapshots' cut and after it, and frames and chunks that arrive in any order that a primary may
// send them in.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/key_hash.h"
#include "base/sanitizers.h"
#include "fmt/format.h"
#include "replication/apply/applier.h"
#include "replication/apply/applier_test_util.h"

namespace tidemark::replication {
namespace {

using Map = std::map<std::string, std::string>;

constexpr int kKeys = 40;

// A primary by hand: its state, and the frames and chunks that bring a replica there.
class Primary {
 public:
  Primary(int shards, uint64_t seed, std::deque<FrameWriter>* writers)
      : shards_(shards), random_(seed), writers_(*writers), frames_(static_cast<size_t>(shards)) {}

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  int Owner(const std::string& key) const { return ShardOf(key, KeyHash(key), shards_).value(); }

  // Something changes. A transaction sets two keys to one value, perhaps on two shards; those pairs
  // are written by nothing else, so that half of one would show.
  void Change() {
    const int choice = Below(100);
    const std::string value = fmt::format("v{}", ++last_value_);
    if (choice < 50) {
      Set(fmt::format("key:{}", Below(kKeys)), value);
    } else if (choice < 65) {
      const std::string key = fmt::format("key:{}", Below(kKeys));
      state_.erase(key);
      Writer(Owner(key)).Delete(key);
      touched_[static_cast<size_t>(Owner(key))].insert(key);
    } else if (choice < 95) {
      const int pair = Below(8);
      SetPair(fmt::format("pair:{}:a", pair), fmt::format("pair:{}:b", pair), value);
    } else {
      Flush();
    }
    if (Below(3) == 0) SealAll();
  }
  void Seal(int shard) {
    const auto at = static_cast<size_t>(shard);
    if (!dirty_[at]) return;
    dirty_[at] = false;
    frames_[at].push_back({writers_[at].Mutations(), std::move(touched_[at])});
    touched_[at].clear();
  }
  void SealAll() {
    for (int i = 0; i < shards_; ++i) Seal(i);
  }

  struct Sealed {
    FrameRef frame;
    std::set<std::string> touched;
  };
  std::vector<std::vector<Sealed>>& frames() { return frames_; }
  const Map& state() const { return state_; }

 private:
  FrameWriter& Writer(int shard) {
    dirty_[static_cast<size_t>(shard)] = true;
    return writers_[static_cast<size_t>(shard)];
  }
  void Set(const std::string& key, const std::string& value) {
    state_[key] = value;
    Writer(Owner(key)).Set(key, value);
    touched_[static_cast<size_t>(Owner(key))].insert(key);
  }
  void SetPair(const std::string& a, const std::string& b, const std::string& value) {
    std::set<uint16_t> shards = {static_cast<uint16_t>(Owner(a)), static_cast<uint16_t>(Owner(b))};
    const std::vector<uint16_t> participants(shards.begin(), shards.end());
    for (const uint16_t shard : participants) {
      const uint32_t records = (Owner(a) == shard ? 1 : 0) + (Owner(b) == shard ? 1 : 0);
      Writer(shard).Transaction(id_, records, participants);
      if (Owner(a) == shard) Set(a, value);
      if (Owner(b) == shard) Set(b, value);
    }
    ++id_;
  }
  void Flush() {
    std::vector<uint16_t> all;
    for (int i = 0; i < shards_; ++i) all.push_back(static_cast<uint16_t>(i));
    for (int i = 0; i < shards_; ++i) {
      Writer(i).Transaction(id_, 1, all).Flush();
      for (const auto& [key, value] : state_) {
        if (Owner(key) == i) touched_[static_cast<size_t>(i)].insert(key);
      }
    }
    ++id_;
    state_.clear();
  }

  const int shards_;
  std::mt19937_64 random_;
  std::deque<FrameWriter>& writers_;
  std::vector<std::vector<Sealed>> frames_;  // By shard.
  std::map<size_t, std::set<std::string>> touched_;
  std::map<size_t, bool> dirty_;
  Map state_;
  int last_value_ = 0;
  uint64_t id_ = 1;
};

struct Case {
  int own;
  int primary;
};
class MixedPlanTest : public testing::TestWithParam<Case> {};

// What readers may see: no half of a pair.
void ExpectWhole(const Map& contents) {
  for (int pair = 0; pair < 8; ++pair) {
    const auto a = contents.find(fmt::format("pair:{}:a", pair));
    const auto b = contents.find(fmt::format("pair:{}:b", pair));
    EXPECT_EQ(a == contents.end() ? "" : a->second, b == contents.end() ? "" : b->second);
  }
}

// One run: the shards in `snapshots` (a bit each) get a snapshot.
void RunMixed(int own, int shards, unsigned snapshots, uint64_t seed) {
  SCOPED_TRACE(fmt::format("snapshots {:b}, seed {}", snapshots, seed));
  ApplierNode node(own, shards, {.max_step_bytes = 200, .keep_entries = 4});
  node.Join();
  Primary primary(shards, seed, &node.writers);
  const auto gets = [&](size_t shard) { return (snapshots >> shard & 1) != 0; };

  // What the replica has when it says hello.
  for (int i = primary.Below(60); i > 0; --i) primary.Change();
  primary.SealAll();
  StreamPlan plan{.history = kHistory, .shards = {}, .continues = kHistory};
  std::vector<size_t> next;
  for (size_t i = 0; i < node.writers.size(); ++i) {
    for (const Primary::Sealed& sealed : primary.frames()[i]) node.Give(sealed.frame);
    next.push_back(primary.frames()[i].size());
    plan.shards.push_back({.source = gets(i) ? CatchUpSource::kSnapshot : CatchUpSource::kBacklog,
                           .at = node.writers[i].position()});
  }
  node.RunAll();
  const Map at_hello = primary.state();
  ASSERT_EQ(node.Contents(), at_hello);
  node.applier.OnLinkLost();
  node.RunAll();

  // What it missed.
  for (int i = primary.Below(60); i > 0; --i) primary.Change();
  primary.SealAll();
  const Map at_cut = primary.state();
  std::vector<std::vector<std::string>> to_walk(node.writers.size());
  for (const auto& [key, value] : at_cut) {
    to_walk[static_cast<size_t>(primary.Owner(key))].push_back(key);
  }
  std::deque<FrameWriter> chunks;
  for (size_t i = 0; i < node.writers.size(); ++i) {
    chunks.emplace_back(static_cast<int>(i), shards, node.writers[i].position());
    if (gets(i)) {
      plan.shards[i].at = node.writers[i].position();
      next[i] = primary.frames()[i].size();
    } else {
      plan.shards[i].cut = node.writers[i].position();
    }
  }
  node.applier.OnPlan(plan);

  // What happens while it is sent.
  for (int i = primary.Below(60); i > 0; --i) primary.Change();
  primary.SealAll();
  std::vector<bool> first(node.writers.size(), true);
  std::vector<bool> ended;
  for (size_t i = 0; i < node.writers.size(); ++i) ended.push_back(!gets(i));
  const auto send_chunk = [&](size_t shard, const std::set<std::string>& keys) {
    for (const std::string& key : keys) chunks[shard].Set(key, at_cut.at(key));
    std::erase_if(to_walk[shard], [&](const std::string& key) { return keys.contains(key); });
    uint16_t flags = 0;
    if (first[shard]) flags |= kFrameFirst;
    first[shard] = false;
    if (to_walk[shard].empty() && primary.Below(2) == 0) {
      flags |= kFrameLast;
      ended[shard] = true;
    }
    node.Give(chunks[shard].Chunk(flags));
  };
  bool snapshot_ended = false;
  std::deque<ApplyStep> under_way;
  const auto whole = [&] {
    for (size_t i = 0; i < node.writers.size(); ++i) {
      if (!ended[i]) return false;
      if (next[i] == 0) {
        if (plan.shards[i].cut.sequence > Sequence()) return false;
      } else if (primary.frames()[i][next[i] - 1].frame->last_sequence() <
                 plan.shards[i].cut.sequence) {
        return false;
      }
    }
    return true;
  };
  while (true) {
    std::vector<size_t> can;
    for (size_t i = 0; i < node.writers.size(); ++i) {
      if (!ended[i] || next[i] < primary.frames()[i].size()) can.push_back(i);
    }
    if (can.empty()) break;
    const size_t shard = can[static_cast<size_t>(primary.Below(static_cast<int>(can.size())))];
    if (next[shard] < primary.frames()[shard].size() && primary.Below(2) == 0) {
      const Primary::Sealed& sealed = primary.frames()[shard][next[shard]++];
      std::set<std::string> displaced;
      for (const std::string& key : to_walk[shard]) {
        if (sealed.touched.contains(key)) displaced.insert(key);
      }
      if (!ended[shard] && !displaced.empty()) send_chunk(shard, displaced);
      node.Give(sealed.frame);
    } else if (!ended[shard]) {
      std::set<std::string> some;
      for (const std::string& key : to_walk[shard]) {
        if (some.size() < 3) some.insert(key);
      }
      send_chunk(shard, some);
    }
    if (!snapshot_ended && whole()) {
      snapshot_ended = true;
      node.applier.OnSnapshotEnd();
    }
    // Several are under way at a time: what is kept is copied between those of the stream.
    for (int steps = primary.Below(4); steps > 0; --steps) {
      if (std::optional<ApplyStep> step = node.Next()) under_way.push_back(*std::move(step));
    }
    for (int steps = primary.Below(4); steps > 0 && !under_way.empty(); --steps) {
      ASSERT_TRUE(node.Run(under_way.front()).ok());
      under_way.pop_front();
    }
    // Join() was the first snapshot.
    if (node.applier.counters().snapshots_swapped_in > 1) {
      EXPECT_TRUE(snapshot_ended);
      ExpectWhole(node.Contents());
    } else if (std::none_of(node.keyspaces.begin(), node.keyspaces.end(),
                            [](const auto& keyspace) { return keyspace->walking(); })) {
      EXPECT_EQ(node.Contents(), at_hello);
    }
  }
  for (const ApplyStep& step : under_way) ASSERT_TRUE(node.Run(step).ok());
  node.RunAll();
  ASSERT_TRUE(snapshot_ended);
  EXPECT_EQ(node.applier.counters().snapshots_swapped_in, 2u);
  EXPECT_EQ(node.Contents(), primary.state());
  for (size_t i = 0; i < node.writers.size(); ++i) {
    EXPECT_EQ(node.applier.Position()->shards[i], node.writers[i].position());
  }
}

TEST_P(MixedPlanTest, EveryChoiceOfShardsEndsWithWhatThePrimaryHas) {
  const auto [own, primary] = GetParam();
  for (unsigned snapshots = 1; snapshots < (1u << primary); ++snapshots) {
    for (uint64_t seed = 1; seed <= Scaled(60u, 20u); ++seed) {
      RunMixed(own, primary, snapshots, seed);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, MixedPlanTest,
                         testing::Values(Case{1, 2}, Case{2, 2}, Case{3, 2}, Case{1, 3}, Case{2, 3},
                                         Case{3, 3}, Case{4, 3}, Case{2, 4}),
                         [](const auto& info) {
                           return fmt::format("{}Of{}", info.param.own, info.param.primary);
                         });

// --- Single rules ---

// Two shards here and there; the second gets a snapshot.
class SecondShardTest : public testing::Test {
 protected:
  SecondShardTest() {
    node_.Join();
    node_.Give(node_.writers[0].Set(zero_, "old").Mutations());
    node_.Give(node_.writers[1].Set(one_, "old").Mutations());
    node_.applier.OnLinkLost();
    node_.RunAll();
    plan_ = {.history = kHistory, .shards = {}, .continues = kHistory};
    plan_.shards.push_back({.source = CatchUpSource::kBacklog, .at = node_.writers[0].position()});
  }
  // A transaction over both that the replica missed, and the plan that follows it.
  void MissTransaction() {
    missed_ = node_.writers[0].Transaction(9, 1, {0, 1}).Set(zero_, "new").Mutations();
    node_.writers[1].Transaction(9, 1, {0, 1}).Set(one_, "new").Mutations();
    plan_.shards[0].cut = node_.writers[0].position();
    plan_.shards.push_back({.source = CatchUpSource::kSnapshot, .at = node_.writers[1].position()});
    node_.applier.OnPlan(plan_);
  }
  void GiveSnapshot() {
    node_.Give(node_.writers[1].Set(one_, "new").Chunk(kFrameFirst | kFrameLast));
  }

  const std::string zero_ = KeyOn(0, 2);
  const std::string one_ = KeyOn(1, 2);
  ApplierNode node_{2, 2};
  StreamPlan plan_;
  FrameRef missed_;
};

TEST_F(SecondShardTest, PartsBelowTheCutDoNotWaitForWhatTheSnapshotHas) {
  MissTransaction();
  node_.Give(missed_);
  node_.RunAll();
  EXPECT_EQ(node_.Contents(), (Map{{zero_, "old"}, {one_, "old"}})) << "nothing is seen yet";
  GiveSnapshot();
  node_.applier.OnSnapshotEnd();
  node_.RunAll();
  EXPECT_EQ(node_.Contents(), (Map{{zero_, "new"}, {one_, "new"}}));
}

TEST_F(SecondShardTest, PartsAboveTheCutAreWaitedFor) {
  MissTransaction();
  node_.Give(missed_);
  GiveSnapshot();
  node_.Give(node_.writers[0].Transaction(10, 1, {0, 1}).Set(zero_, "newer").Mutations());
  node_.applier.OnSnapshotEnd();
  node_.RunAll();
  EXPECT_EQ(node_.Contents(), (Map{{zero_, "old"}, {one_, "old"}}));
  node_.Give(node_.writers[1].Transaction(10, 1, {0, 1}).Set(one_, "newer").Mutations());
  node_.RunAll();
  EXPECT_EQ(node_.Contents(), (Map{{zero_, "newer"}, {one_, "newer"}}));
}

TEST_F(SecondShardTest, ALostLinkLeavesWhatWasThere) {
  MissTransaction();
  node_.Give(missed_);
  node_.RunAll();
  node_.applier.OnLinkLost();
  node_.RunAll();
  EXPECT_EQ(node_.Contents(), (Map{{zero_, "old"}, {one_, "old"}}));
  EXPECT_EQ(node_.applier.Position()->history, kHistory);
  EXPECT_FALSE(node_.keyspaces[0]->walking());
}

TEST_F(SecondShardTest, WhatIsKeptIsCopiedInSlicesBesideTheStream) {
  for (int i = 0; i < 5'000; ++i) {
    const std::string key = fmt::format("more:{}", i);
    const auto shard = ShardOf(key, KeyHash(key), 2).value();
    node_.keyspaces[shard]->ApplySet(cache::KeyRef::Of(key), "kept", cache::kNoExpiry);
  }
  MissTransaction();
  node_.Give(missed_);
  GiveSnapshot();
  int copies = 0;
  std::optional<ApplyStep> step;
  while ((step = node_.Next())) {
    copies += step->kind == ApplyStep::Kind::kKeepSome ? 1 : 0;
    EXPECT_EQ(node_.applier.idle(), false);
    ASSERT_TRUE(node_.Run(*step).ok());
  }
  EXPECT_GT(copies, 3);
  node_.applier.OnSnapshotEnd();
  node_.RunAll();
  const Map contents = node_.Contents();
  EXPECT_EQ(contents.at(zero_), "new");
  EXPECT_EQ(contents.at(one_), "new");
  for (const auto& [key, value] : contents) {
    EXPECT_EQ(ShardOf(key, KeyHash(key), 2), key == one_ ? ShardId(1) : ShardId(0)) << key;
  }
  EXPECT_GT(contents.size(), 2'000u);
}

TEST_F(SecondShardTest, RecordsHeldBeyondAFramesBorderAreNotAppliedTwice) {
  ApplierNode node(1, 2);
  FrameWriter& writer = node.writers[0];
  writer.Set(zero_, "1").Mutations();
  const ShardPosition border = writer.position();
  cache::Keyspace& keyspace = *node.keyspaces[0];
  keyspace.ApplySet(cache::KeyRef::Of(zero_), "later changed", cache::kNoExpiry);
  node.applier.Begin({kHistory, {border, {}}}, {Sequence(2), Sequence()}, {1});
  const FrameRef frame = writer.Set(zero_, "2").Set(KeyOn(0, 2, 1), "3").Mutations();
  node.applier.OnPlan(
      {.history = kHistory,
       .shards = {{.source = CatchUpSource::kBacklog, .at = border, .cut = {Sequence(3), 0}},
                  {.source = CatchUpSource::kSnapshot, .at = {}}},
       .continues = kHistory});
  node.Give(frame);
  node.Give(node.writers[1].Chunk(kFrameFirst | kFrameLast));
  node.applier.OnSnapshotEnd();
  node.RunAll();
  EXPECT_EQ(node.Contents(), (Map{{zero_, "later changed"}, {KeyOn(0, 2, 1), "3"}}));
}

}  // namespace
}  // namespace tidemark::replication
