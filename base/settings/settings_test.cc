#include "base/settings/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "base/settings/output_buffer_limits.h"

namespace tidemark {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using Change = std::pair<std::string_view, std::string_view>;

class SettingsTest : public testing::Test {
 protected:
  // The reply's text; empty for OK.
  std::string ConfigSet(std::vector<Change> changes) {
    return std::string(settings_.ConfigSet(changes).message());
  }
  std::vector<std::pair<std::string, std::string>> ConfigGet(
      std::vector<std::string_view> patterns) {
    return settings_.ConfigGet(patterns);
  }

  Settings settings_{NodeRole::kPrimary};
};

TEST_F(SettingsTest, BeginAtTheirDefaults) {
  EXPECT_EQ(settings_.Int(Setting::kPort), 6379);
  EXPECT_EQ(settings_.Int(Setting::kReplicationPort), 7631);
  EXPECT_EQ(settings_.Int(Setting::kProtoMaxBulkLen), 512 << 20);
  EXPECT_TRUE(settings_.Bool(Setting::kLatencyTracking));
  EXPECT_EQ(settings_.Choice<SendPolicy>(Setting::kSendPolicy), SendPolicy::kBatch);
  EXPECT_EQ(settings_.Choice<ForeignHistory>(Setting::kAcceptForeignHistory),
            ForeignHistory::kNonempty);
  EXPECT_EQ(settings_.Choice<LogLevelSetting>(Setting::kLogLevel), LogLevelSetting::kInfo);
  EXPECT_EQ(settings_.Choice<Compression>(Setting::kCompression), Compression::kNone);
  EXPECT_EQ(settings_.String(Setting::kBind), "127.0.0.1");
  EXPECT_TRUE(settings_.Validate().ok());

  const Settings replica(NodeRole::kReplica);
  EXPECT_EQ(replica.Int(Setting::kPort), 6380);
  EXPECT_EQ(replica.Int(Setting::kReplicationPort), Settings::kNone);
}

TEST_F(SettingsTest, AReplicaNeedsItsPrimary) {
  Settings replica(NodeRole::kReplica);
  EXPECT_THAT(std::string(replica.Validate().message()), HasSubstr("--primary is required"));
  ASSERT_TRUE(replica.Set(Setting::kPrimary, "127.0.0.1:7631").ok());
  EXPECT_TRUE(replica.Validate().ok());
}

TEST_F(SettingsTest, ThresholdsMustFitEachOther) {
  ASSERT_TRUE(settings_.Set(Setting::kThrottleExitPercent, "85").ok());
  EXPECT_EQ(std::string(settings_.Validate().message()),
            "throttle_exit_percent is 85, but must be below throttle_enter_percent, which is 85");
}

TEST_F(SettingsTest, ABadStartValueIsExplained) {
  EXPECT_EQ(std::string(settings_.Set(Setting::kPort, "70000").message()),
            "'70000' is not a whole number from 0 to 65535 (argument must be between 0 and 65535 "
            "inclusive)");
  EXPECT_EQ(settings_.Int(Setting::kPort), 6379);
}

TEST_F(SettingsTest, ConfigSetChangesAll) {
  EXPECT_EQ(ConfigSet({{"maxclients", "10"}, {"SLOWLOG-MAX-LEN", "7"}, {"timeout", "1"}}), "");
  EXPECT_EQ(settings_.Int(Setting::kMaxclients), 10);
  EXPECT_EQ(settings_.Int(Setting::kSlowlogMaxLen), 7);
  EXPECT_EQ(settings_.Int(Setting::kTimeout), 1);
}

TEST_F(SettingsTest, ConfigSetChangesNothingIfAnythingIsWrong) {
  bool called = false;
  settings_.OnChange(Setting::kMaxclients, [&] { called = true; });
  EXPECT_EQ(ConfigSet({{"maxclients", "10"}, {"TIMEOUT", "abc"}}),
            "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be "
            "parsed into an integer");
  EXPECT_EQ(settings_.Int(Setting::kMaxclients), 10000);
  EXPECT_FALSE(called);
}

// Replies of redis-server 7.0 to the same commands.
TEST_F(SettingsTest, ConfigSetJudgesNamesBeforeValues) {
  EXPECT_EQ(ConfigSet({{"timeout", "abc"}, {"FOO", "1"}}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'FOO'");
  EXPECT_EQ(ConfigSet({{"port", "1"}, {"foo", "1"}}),
            "ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable "
            "config");
  EXPECT_EQ(ConfigSet({{"timeout", "1"}, {"TIMEOUT", "2"}}),
            "ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter");
  EXPECT_EQ(settings_.Int(Setting::kTimeout), 0);
}

TEST_F(SettingsTest, ConstantsTakeOnlyTheirOwnValue) {
  EXPECT_EQ(ConfigSet({{"save", ""}, {"appendonly", "no"}}), "");
  EXPECT_EQ(ConfigSet({{"appendonly", "yes"}}),
            "ERR CONFIG SET failed (possibly related to argument 'appendonly') - can't set "
            "immutable config");
}

TEST_F(SettingsTest, RedisNamesSetTheSameInTheirOwnUnit) {
  EXPECT_EQ(ConfigSet({{"min-replicas-max-lag", "3"}, {"min-slaves-to-write", "2"}}), "");
  EXPECT_EQ(settings_.Int(Setting::kMinReplicasMaxLagMs), 3'000);
  EXPECT_EQ(settings_.Int(Setting::kMinReplicasToWrite), 2);
  EXPECT_THAT(
      ConfigGet({"min-*"}),
      ElementsAre(Pair("min-replicas-to-write", "2"), Pair("min-replicas-max-lag-ms", "3000"),
                  Pair("min-replicas-max-lag", "3"), Pair("min-slaves-max-lag", "3"),
                  Pair("min-slaves-to-write", "2")));
  EXPECT_EQ(ConfigSet({{"min-replicas-max-lag-ms", "1500"}}), "");
  EXPECT_THAT(ConfigGet({"min-replicas-max-lag"}), ElementsAre(Pair("min-replicas-max-lag", "2")))
      << "rounded up";
  EXPECT_EQ(ConfigSet({{"min-slaves-max-lag", "0"}}),
            "ERR CONFIG SET failed (possibly related to argument 'min-slaves-max-lag') - argument "
            "must be between 1 and 2147483 inclusive");
  EXPECT_EQ(ConfigSet({{"min-replicas-max-lag", "1"}, {"min-slaves-max-lag", "2"}}),
            "ERR CONFIG SET failed (possibly related to argument 'min-slaves-max-lag') - duplicate "
            "parameter");
}

TEST_F(SettingsTest, SettingsOfAnotherRoleAreUnknown) {
  EXPECT_THAT(ConfigSet({{"primary", "a:1"}}), HasSubstr("Unknown option"));
  EXPECT_THAT(ConfigGet({"primary"}), IsEmpty());
}

TEST_F(SettingsTest, ConfigGetMatchesPatternsAndShowsEachOnce) {
  EXPECT_THAT(
      ConfigGet({"slowlog*", "*max-len"}),
      ElementsAre(Pair("slowlog-log-slower-than", "10000"), Pair("slowlog-max-len", "128")));
  EXPECT_THAT(ConfigGet({"HZ", "hz", "h?"}), ElementsAre(Pair("HZ", "10")));
  EXPECT_THAT(ConfigGet({"repl-backlog-size"}), ElementsAre(Pair("repl-backlog-size", "67108864")));
  EXPECT_THAT(ConfigGet({"save"}), ElementsAre(Pair("save", "")));
  EXPECT_THAT(ConfigGet({"nothing"}), IsEmpty());
  EXPECT_THAT(ConfigGet({"*"}), SizeIs(testing::Gt(40u)));
}

TEST_F(SettingsTest, TokensAreNeverShown) {
  ASSERT_TRUE(settings_.Set(Setting::kReplicationToken, "s3cret").ok());
  EXPECT_THAT(ConfigGet({"replication-token"}), ElementsAre(Pair("replication-token", "(hidden)")));
  EXPECT_EQ(settings_.String(Setting::kReplicationToken), "s3cret");
  // Redis shows this one.
  ASSERT_TRUE(settings_.Set(Setting::kRequirepass, "open").ok());
  EXPECT_THAT(ConfigGet({"requirepass"}), ElementsAre(Pair("requirepass", "open")));
}

TEST_F(SettingsTest, CallbacksSeeTheNewValue) {
  std::vector<std::string> seen;
  settings_.OnChange(Setting::kRequirepass,
                     [&] { seen.push_back(settings_.String(Setting::kRequirepass)); });
  ASSERT_EQ(ConfigSet({{"requirepass", "a"}}), "");
  ASSERT_EQ(ConfigSet({{"timeout", "1"}}), "");
  ASSERT_EQ(ConfigSet({{"requirepass", ""}}), "");
  EXPECT_THAT(seen, ElementsAre("a", ""));
}

TEST_F(SettingsTest, OutputBufferLimitsAreChangedByClass) {
  ASSERT_EQ(ConfigSet({{"client-output-buffer-limit", "pubsub 1mb 0 0"}}), "");
  const auto limits =
      ParseOutputBufferLimits({}, settings_.String(Setting::kClientOutputBufferLimit));
  ASSERT_TRUE(limits.ok());
  EXPECT_EQ(limits->pubsub.hard_bytes, 1 << 20);
  EXPECT_EQ(limits->replica.hard_bytes, 256 << 20);
}

TEST_F(SettingsTest, RewriteWithoutAFileIsRefused) {
  EXPECT_EQ(std::string(settings_.ConfigRewrite().message()),
            "ERR The server is running without a config file");
}

TEST_F(SettingsTest, RewriteSavesWhatConfigSetChanged) {
  const std::string path = testing::TempDir() + "/rewrite.toml";
  std::ofstream(path) << "port = 7000  # ours\nmaxclients = 5\n";
  ASSERT_TRUE(settings_.Set(Setting::kConfig, path).ok());
  ASSERT_TRUE(settings_.Set(Setting::kTimeout, "9").ok());  // A flag: stays one.
  ASSERT_EQ(ConfigSet({{"maxclients", "77"}, {"requirepass", "a\"b"}, {"latency-tracking", "no"}}),
            "");
  ASSERT_TRUE(settings_.ConfigRewrite().ok());
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(
      text,
      "port = 7000  # ours\nmaxclients = 77\n# Set while running, written by CONFIG REWRITE.\n"
      "requirepass = \"a\\\"b\"\nlatency_tracking = \"no\"\n");
}

TEST_F(SettingsTest, AreReadWhileTheyChange) {
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const int64_t timeout = settings_.Int(Setting::kTimeout);
      ASSERT_TRUE(timeout == 0 || timeout == 5);
      ASSERT_THAT(settings_.String(Setting::kRequirepass), testing::AnyOf("", "five"));
      ASSERT_THAT(ConfigGet({"timeout"}), SizeIs(1));
    }
  });
  std::thread other([&] {
    for (int i = 0; i < 300; ++i) ASSERT_EQ(ConfigSet({{"slowlog-max-len", "5"}}), "");
  });
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(ConfigSet({{"timeout", "5"}, {"requirepass", "five"}}), "");
    ASSERT_EQ(ConfigSet({{"timeout", "0"}, {"requirepass", ""}}), "");
  }
  done = true;
  reader.join();
  other.join();
}

TEST(SettingsValidateTest, AnExportNeedsALogAndAListenerAToken) {
  Settings settings(NodeRole::kPrimary);
  ASSERT_TRUE(settings.Validate().ok());
  ASSERT_TRUE(settings.Set(Setting::kExportMode, "listen").ok());
  EXPECT_FALSE(settings.Validate().ok());
  ASSERT_TRUE(settings.Set(Setting::kDataDir, "/tmp/data").ok());
  EXPECT_FALSE(settings.Validate().ok());
  ASSERT_TRUE(settings.Set(Setting::kExportToken, "secret").ok());
  EXPECT_TRUE(settings.Validate().ok());
  // Nor can it be taken away later; another can be given.
  using Change = std::pair<std::string_view, std::string_view>;
  EXPECT_FALSE(settings.ConfigSet(std::vector<Change>{{"export_token", ""}}).ok());
  EXPECT_EQ(settings.String(Setting::kExportToken), "secret");
  EXPECT_TRUE(settings.ConfigSet(std::vector<Change>{{"export_token", "other"}}).ok());
}

}  // namespace
}  // namespace tidemark
