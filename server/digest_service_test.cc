#include "server/digest_service.h"

#include <gtest/gtest.h>

#include <map>

namespace tidemark::server {
namespace {

// Plays the engine: cuts happen at once, and a shard's walk ends when the test says so.
class DigestServiceTest : public testing::Test {
 protected:
  DigestService service{2,
                        [this](auto each, auto done) {
                          ++cuts;
                          each(ShardId(0));
                          each(ShardId(1));
                          done(HistoryId(9), {Sequence(cuts), Sequence(cuts)});
                        },
                        [this](ShardId shard, DigestWalk::Done done) {
                          if (busy.contains(shard)) return false;
                          walks[shard] = std::move(done);
                          return true;
                        }};

  void FinishWalk(uint16_t shard, uint64_t low) {
    const auto done = std::move(walks[ShardId(shard)]);
    walks.erase(ShardId(shard));
    const cache::ContentDigest digest{.low = low, .keys = 1};
    done(&digest);
  }
  void CutWalkShort(uint16_t shard) {
    const auto done = std::move(walks[ShardId(shard)]);
    walks.erase(ShardId(shard));
    done(nullptr);
  }
  void Ask() {
    service.Request([this](const DigestResult& result) { answers.push_back(result); });
  }

  uint64_t cuts = 0;
  std::map<ShardId, bool> busy;
  std::map<ShardId, DigestWalk::Done> walks;
  std::vector<DigestResult> answers;
};

TEST_F(DigestServiceTest, AddsUpTheShardsOfOneCut) {
  Ask();
  FinishWalk(1, 20);
  EXPECT_TRUE(answers.empty());
  FinishWalk(0, 3);
  ASSERT_EQ(answers.size(), 1);
  EXPECT_EQ(answers[0].total.low, 23);
  EXPECT_EQ(answers[0].total.keys, 2);
  EXPECT_EQ(answers[0].shards[0].low, 3);
  EXPECT_EQ(answers[0].history, HistoryId(9));
  EXPECT_EQ(answers[0].watermarks, (Watermarks{Sequence(1), Sequence(1)}));
}

TEST_F(DigestServiceTest, WhoAsksMeanwhileSharesTheNextOne) {
  Ask();
  Ask();
  Ask();
  EXPECT_EQ(cuts, 1);
  FinishWalk(0, 1);
  FinishWalk(1, 1);
  EXPECT_EQ(answers.size(), 1);
  EXPECT_EQ(cuts, 2);
  FinishWalk(0, 2);
  FinishWalk(1, 2);
  ASSERT_EQ(answers.size(), 3);
  EXPECT_EQ(answers[2].total.low, 4);  // Not of the cut before they asked.
}

TEST_F(DigestServiceTest, ABusyShardMakesTheAttemptVoidAndATickRepeatsIt) {
  busy[ShardId(1)] = true;
  Ask();
  FinishWalk(0, 1);
  EXPECT_TRUE(answers.empty());
  Ask();  // Waits for the tick as well.
  EXPECT_EQ(cuts, 1);
  busy.clear();
  service.Tick();
  EXPECT_EQ(cuts, 2);
  FinishWalk(0, 5);
  FinishWalk(1, 6);
  ASSERT_EQ(answers.size(), 2);
  EXPECT_EQ(answers[0].total.low, 11);
}

TEST_F(DigestServiceTest, AWalkCutShortMakesTheAttemptVoid) {
  Ask();
  FinishWalk(0, 1);
  CutWalkShort(1);
  EXPECT_TRUE(answers.empty());
  service.Tick();
  FinishWalk(0, 5);
  FinishWalk(1, 6);
  ASSERT_EQ(answers.size(), 1);
  EXPECT_EQ(answers[0].total.low, 11);
}

}  // namespace
}  // namespace tidemark::server
