#include "base/settings/setting_value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/settings/output_buffer_limits.h"

namespace tidemark {
namespace {

TEST(SettingTableTest, NamesAreUniqueAndEachRowIsExplained) {
  std::set<std::string_view> names;
  for (const SettingSpec& spec : SettingTable()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_TRUE(spec.help.ends_with('.')) << spec.name;
    EXPECT_LE(spec.min, spec.max) << spec.name;
    EXPECT_EQ(spec.type == SettingType::kChoice, !spec.choices.empty()) << spec.name;
    EXPECT_EQ(FindSetting(spec.name), &spec);
  }
  EXPECT_EQ(FindSetting("maxclient"), nullptr);
}

TEST(ParseBytesTest, ReadsSuffixesAsRedisDoes) {
  EXPECT_EQ(ParseBytes("0"), 0);
  EXPECT_EQ(ParseBytes("17b"), 17);
  EXPECT_EQ(ParseBytes("1k"), 1000);
  EXPECT_EQ(ParseBytes("1kb"), 1024);
  EXPECT_EQ(ParseBytes("2M"), 2'000'000);
  EXPECT_EQ(ParseBytes("2Mb"), 2 << 20);
  EXPECT_EQ(ParseBytes("3g"), 3'000'000'000);
  EXPECT_EQ(ParseBytes("1GB"), 1 << 30);
  EXPECT_EQ(ParseBytes("9223372036854775807"), INT64_MAX);
}

TEST(ParseBytesTest, RefusesWhatIsNoSizeOrDoesNotFit) {
  for (std::string_view text : {"", "mb", "-1", "+1", "1.5mb", "1 mb", "1tb", "50%", "0x10",
                                "9223372036854775808", "9007199254740992kb"}) {
    EXPECT_EQ(ParseBytes(text), std::nullopt) << text;
  }
}

TEST(FormatBytesTest, IsReadBackAsTheSameSize) {
  for (int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{1000}, int64_t{1024}, int64_t{3} << 20,
                        int64_t{5} << 30, INT64_MAX}) {
    EXPECT_EQ(ParseBytes(FormatBytes(bytes)), bytes);
  }
  EXPECT_EQ(FormatBytes(512 << 20), "512mb");
}

struct BadValue {
  Setting id;
  std::string_view text;
  std::string_view detail;  // As redis-server 7.0 gives it.
};
class BadValueTest : public testing::TestWithParam<BadValue> {};

TEST_P(BadValueTest, IsRefusedInRedisWords) {
  const BadValue& bad = GetParam();
  const auto value = ParseSetting(SpecOf(bad.id), "", bad.text, BoolWords::kRedis);
  ASSERT_FALSE(value.ok()) << bad.text;
  EXPECT_EQ(std::string(value.status().message()), bad.detail);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadValueTest,
    testing::Values(
        BadValue{Setting::kPort, "abc", "argument couldn't be parsed into an integer"},
        BadValue{Setting::kPort, "", "argument couldn't be parsed into an integer"},
        BadValue{Setting::kPort, " 1", "argument couldn't be parsed into an integer"},
        BadValue{Setting::kPort, "+1", "argument couldn't be parsed into an integer"},
        BadValue{Setting::kPort, "1.5", "argument couldn't be parsed into an integer"},
        BadValue{Setting::kPort, "99999", "argument must be between 0 and 65535 inclusive"},
        BadValue{Setting::kTimeout, "-1", "argument must be between 0 and 2147483647 inclusive"},
        BadValue{Setting::kMaxclients, "0", "argument must be between 1 and 4294967295 inclusive"},
        BadValue{Setting::kPort, "none", "argument couldn't be parsed into an integer"},
        BadValue{Setting::kProtoMaxBulkLen, "1",
                 "argument must be between 1048576 and 9223372036854775807 inclusive"},
        BadValue{Setting::kProtoMaxBulkLen, "10xb", "argument must be a memory value"},
        BadValue{Setting::kLatencyTracking, "1", "argument must be 'yes' or 'no'"},
        BadValue{Setting::kCompression, "lz4",
                 "argument(s) must be one of the following: none, zstd"},
        BadValue{Setting::kClientOutputBufferLimit, "normal 0 0",
                 "Wrong number of arguments in buffer limit configuration."},
        BadValue{Setting::kClientOutputBufferLimit, "foo 0 0 0",
                 "Invalid client class specified in buffer limit configuration."},
        BadValue{Setting::kClientOutputBufferLimit, "normal 0 0 1mb",
                 "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        BadValue{Setting::kPrimary, "localhost",
                 "argument must be HOST:PORT, such as 127.0.0.1:7631"}));

TEST(ParseSettingTest, NoneIsANumberOfItsOwn) {
  const auto value = ParseSetting(SpecOf(Setting::kReplicationPort), "", "none", BoolWords::kAny);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->number, -1);
  EXPECT_EQ(value->text, "none");
}

TEST(ParseSettingTest, BooleansOutsideConfigSetHaveMoreWords) {
  const SettingSpec& spec = SpecOf(Setting::kLatencyTracking);
  EXPECT_EQ(ParseSetting(spec, "", "true", BoolWords::kAny)->number, 1);
  EXPECT_EQ(ParseSetting(spec, "", "0", BoolWords::kAny)->number, 0);
  EXPECT_EQ(ParseSetting(spec, "", "NO", BoolWords::kRedis)->text, "no");
}

TEST(HostAndPortTest, TakesNamesAddressesAndBracketedIpv6) {
  for (std::string_view good : {"127.0.0.1:7631", "db.example:1", "[::1]:65535"}) {
    EXPECT_TRUE(CanonicalHostAndPort("", good).ok()) << good;
  }
  for (std::string_view bad :
       {"", ":1", "host", "host:", "host:0", "host:65536", "::1:7631", "[]:1", "host:1x"}) {
    EXPECT_FALSE(CanonicalHostAndPort("", bad).ok()) << bad;
  }
  EXPECT_TRUE(CanonicalHostAndAnyPort("", "host:0").ok());
  EXPECT_FALSE(CanonicalHostAndAnyPort("", "host:-1").ok());
}

TEST(OutputBufferLimitsTest, ClassesThatAreNotNamedKeepTheirLimits) {
  OutputBufferLimits current;
  current.pubsub.hard_bytes = 9;
  const auto limits = ParseOutputBufferLimits(current, "Normal 1mb 2kb 3 REPLICA 4 5 6");
  ASSERT_TRUE(limits.ok());
  EXPECT_EQ(limits->normal, (OutputBufferLimit{1 << 20, 2048, 3}));
  EXPECT_EQ(limits->replica, (OutputBufferLimit{4, 5, 6}));
  EXPECT_EQ(limits->pubsub, (OutputBufferLimit{9, 0, 0}));
}

TEST(OutputBufferLimitsTest, AreShownAsRedisShowsThem) {
  const SettingSpec& spec = SpecOf(Setting::kClientOutputBufferLimit);
  EXPECT_EQ(ParseSetting(spec, "", spec.default_text, BoolWords::kRedis)->text,
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
}

}  // namespace
}  // namespace tidemark
