#include "cache/slow_log.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

constexpr uint64_t kMicro = 1000;

void AddCommand(SlowLog& log, std::vector<std::string_view> args) {
  log.Add(args, 5 * kMicro, /*now_ms=*/1'700'000'000'123, "127.0.0.1:5", "worker");
}

TEST(SlowLogTest, ThresholdIsStrict) {
  SlowLog log(ShardId(0));
  log.set_threshold_us(10);
  EXPECT_FALSE(log.Wants(10 * kMicro));
  EXPECT_FALSE(log.Wants(11 * kMicro - 1)) << "shown as 10";
  EXPECT_TRUE(log.Wants(11 * kMicro));
}

TEST(SlowLogTest, ZeroWantsEverythingAndMinusOneNothing) {
  SlowLog log(ShardId(0));
  log.set_threshold_us(0);
  EXPECT_TRUE(log.Wants(0));
  log.set_threshold_us(-1);
  EXPECT_FALSE(log.Wants(1'000'000 * kMicro));
}

TEST(SlowLogTest, NewestFirstAndTheOldestGoes) {
  SlowLog log(ShardId(3));
  log.set_max_length(2);
  AddCommand(log, {"a"});
  AddCommand(log, {"b"});
  AddCommand(log, {"c"});
  ASSERT_EQ(log.entries().size(), 2u);
  EXPECT_EQ(log.entries()[0].args.front(), "c");
  EXPECT_EQ(log.entries()[0].id, (uint64_t{3} << SlowLog::kShardShift) + 2);
  EXPECT_EQ(log.entries()[0].unix_seconds, 1'700'000'000);
  EXPECT_EQ(log.entries()[0].duration_us, 5);
  EXPECT_EQ(log.entries()[0].client_address, "127.0.0.1:5");
  EXPECT_EQ(log.entries()[0].client_name, "worker");
  log.set_max_length(1);
  EXPECT_EQ(log.entries().size(), 1u);
}

// Texts as redis-server 7.0 answers them.
TEST(SlowLogTest, LongArgumentsAreCut) {
  SlowLog log(ShardId(0));
  const std::string exact(128, 'x');
  const std::string longer(130, 'y');
  AddCommand(log, {"set", exact, longer});
  EXPECT_EQ(log.entries()[0].args[1], exact);
  EXPECT_EQ(log.entries()[0].args[2], std::string(128, 'y') + "... (2 more bytes)");
}

TEST(SlowLogTest, ManyArgumentsAreCut) {
  SlowLog log(ShardId(0));
  AddCommand(log, std::vector<std::string_view>(32, "v"));
  EXPECT_EQ(log.entries()[0].args.back(), "v");
  AddCommand(log, std::vector<std::string_view>(40, "v"));
  ASSERT_EQ(log.entries()[0].args.size(), 32u);
  EXPECT_EQ(log.entries()[0].args.back(), "... (9 more arguments)");
}

}  // namespace
}  // namespace tidemark::cache
