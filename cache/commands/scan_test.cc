#include "cache/commands/scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "cache/commands/recorded_reply.h"

namespace tidemark::cache {
namespace {

using testing::UnorderedElementsAre;

// The shards of an engine, scanned as its coordinator does.
class ScanTest : public testing::Test {
 protected:
  explicit ScanTest(int shard_count = 3) {
    for (int i = 0; i < shard_count; ++i) {
      shards_.push_back(std::make_unique<Keyspace>(Keyspace::Options{}));
    }
  }

  void Add(size_t shard, std::string_view key) {
    shards_[shard]->Set(KeyRef::Of(key), "v", kNoExpiry);
  }

  // One SCAN: adds to `keys`, returns the next cursor.
  uint64_t Step(uint64_t cursor, std::vector<std::string_view> options,
                std::vector<std::string>& keys) {
    const std::string text = std::to_string(cursor);
    options.insert(options.begin(), {"SCAN", text});
    RecordedReply reply;
    const std::optional<ScanRequest> request = ParseScan(options, reply);
    EXPECT_TRUE(request) << reply.text();
    if (!request || request->shard >= shards_.size()) return 0;
    const uint64_t next_inner = ScanShard(*shards_[request->shard], *request, keys);
    return NextScanCursor(*request, next_inner, static_cast<int>(shards_.size()));
  }

  std::vector<std::string> ScanAll(const std::vector<std::string_view>& options = {}) {
    std::vector<std::string> keys;
    uint64_t cursor = 0;
    do {
      cursor = Step(cursor, options, keys);
    } while (cursor != 0);
    return keys;
  }

  std::vector<std::unique_ptr<Keyspace>> shards_;
};

TEST_F(ScanTest, VisitsTheKeysOfEveryShard) {
  Add(0, "a");
  Add(1, "b");
  Add(2, "c");
  EXPECT_THAT(ScanAll(), UnorderedElementsAre("a", "b", "c"));
  EXPECT_THAT(ScanAll({"MATCH", "[bc]"}), UnorderedElementsAre("b", "c"));
  EXPECT_THAT(ScanAll({"TYPE", "list"}), UnorderedElementsAre());
}

TEST_F(ScanTest, SkipsNothingWhereAShardIsEmpty) {
  Add(2, "only");
  EXPECT_THAT(ScanAll(), UnorderedElementsAre("only"));
}

TEST_F(ScanTest, FindsKeysThatStayWhileTheTableGrows) {
  for (int i = 0; i < 500; ++i) Add(1, "old" + std::to_string(i));
  std::vector<std::string> keys;
  uint64_t cursor = 0;
  int added = 0;
  do {
    cursor = Step(cursor, {"COUNT", "20"}, keys);
    for (int i = 0; i < 100; ++i) Add(1, "new" + std::to_string(added++));
  } while (cursor != 0 && added < 1'000'000);
  const std::set<std::string> seen(keys.begin(), keys.end());
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(seen.contains("old" + std::to_string(i))) << i;
}

TEST_F(ScanTest, ACursorOfNoShardEndsTheScan) {
  Add(0, "a");
  std::vector<std::string> keys;
  EXPECT_EQ(Step(uint64_t{3} << kScanShardShift, {}, keys), 0u);
  EXPECT_EQ(Step(~uint64_t{0}, {}, keys), 0u);
  EXPECT_TRUE(keys.empty());
}

TEST_F(ScanTest, AnyInnerCursorIsSafe) {
  Add(0, "a");
  std::vector<std::string> keys;
  for (const uint64_t inner : {uint64_t{1}, uint64_t{0x800000000000}, uint64_t{0xffffffffffff}}) {
    Step(inner, {"COUNT", "1000"}, keys);
  }
}

TEST_F(ScanTest, TheReplyIsACursorAndKeys) {
  RecordedReply reply;
  AnswerScan(uint64_t{2} << kScanShardShift, std::vector<std::string>{"a", "b"}, reply);
  EXPECT_EQ(reply.text(), R"(["562949953421312", ["a", "b"]])");
}

}  // namespace
}  // namespace tidemark::cache
