#include "base/settings/settings_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/settings/settings_page.h"

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing::Not;

class SettingsLoaderTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Settings>> Load(std::vector<const char*> arguments) {
    return LoadSettings(role_, arguments, environment_);
  }
  std::string Error(std::vector<const char*> arguments) {
    return std::string(Load(std::move(arguments)).status().message());
  }
  // A --config flag for a file that holds `text`.
  const char* ConfigFlag(std::string_view text) {
    std::ofstream(path_) << text;
    return config_flag_.c_str();
  }

  NodeRole role_ = NodeRole::kPrimary;
  std::vector<const char*> environment_ = {"PATH=/bin"};
  const std::string path_ = testing::TempDir() + "/loader.toml";
  const std::string config_flag_ = "--config=" + path_;
};

TEST_F(SettingsLoaderTest, FlagsAreReadInBothForms) {
  const auto settings = Load({"--port=7000", "--shards", "2", "--slowlog_log_slower_than", "-1",
                              "--requirepass=", "--bind", "::1", "--proto_max_bulk_len=2MB"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ((*settings)->Int(Setting::kPort), 7000);
  EXPECT_EQ((*settings)->Int(Setting::kShards), 2);
  EXPECT_EQ((*settings)->Int(Setting::kSlowlogLogSlowerThan), -1);
  EXPECT_EQ((*settings)->String(Setting::kRequirepass), "");
  EXPECT_EQ((*settings)->String(Setting::kBind), "::1");
  EXPECT_EQ((*settings)->Int(Setting::kProtoMaxBulkLen), 2 << 20);
}

TEST_F(SettingsLoaderTest, ValuesAreTakenAsTheyAre) {
  const auto settings = Load({"--requirepass=[a, b]=\"c\" --x", "--replication_token", "{1}"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ((*settings)->String(Setting::kRequirepass), "[a, b]=\"c\" --x");
  EXPECT_EQ((*settings)->String(Setting::kReplicationToken), "{1}");
}

TEST_F(SettingsLoaderTest, EachSourceOverridesTheOneBefore) {
  environment_ = {"TIDEMARK_TIMEOUT=20", "TIDEMARK_MAXCLIENTS=20"};
  const char* config = ConfigFlag("tcp_keepalive = 1\ntimeout = 1\nmaxclients = 1\n");
  const auto settings = Load({config, "--maxclients=300"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ((*settings)->Int(Setting::kTcpBacklog), 511);
  EXPECT_EQ((*settings)->Int(Setting::kTcpKeepalive), 1);
  EXPECT_EQ((*settings)->Int(Setting::kTimeout), 20);
  EXPECT_EQ((*settings)->Int(Setting::kMaxclients), 300);
}

TEST_F(SettingsLoaderTest, TheEnvironmentMayNameTheFile) {
  ConfigFlag("port = 7001\n");
  const std::string variable = "TIDEMARK_CONFIG=" + path_;
  environment_ = {variable.c_str()};
  const auto settings = Load({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ((*settings)->Int(Setting::kPort), 7001);
}

TEST_F(SettingsLoaderTest, OtherVariablesAreLeftAlone) {
  environment_ = {"TIDEMARK_PRIMARY=a:1", "TIDEMARK_UNHEARD_OF=1", "TIDEMARK_PORTX=1"};
  EXPECT_TRUE(Load({}).ok());
}

TEST_F(SettingsLoaderTest, BadFlagsAreNamed) {
  EXPECT_EQ(Error({"--prot=1"}), "unknown flag --prot; --help lists the flags");
  EXPECT_EQ(Error({"--primary=a:1"}), "unknown flag --primary; --help lists the flags");
  EXPECT_EQ(Error({"serve"}), "unknown flag serve; --help lists the flags");
  EXPECT_EQ(Error({"--port=abc"}),
            "--port: 'abc' is not a whole number from 0 to 65535 (argument couldn't be parsed into "
            "an integer)");
  EXPECT_THAT(Error({"--port"}), HasSubstr("--port"));
  EXPECT_THAT(Error({"--port=1", "--port=2"}), HasSubstr("--port"));
  EXPECT_THAT(Error({"--port", "--shards=1"}), HasSubstr("--port"));
}

TEST_F(SettingsLoaderTest, BadVariablesAreNamed) {
  environment_ = {"TIDEMARK_SHARDS=many"};
  EXPECT_THAT(Error({}), HasSubstr("TIDEMARK_SHARDS: 'many' is not a whole number from 0 to 1024"));
}

TEST_F(SettingsLoaderTest, BadLinesOfTheFileAreNamed) {
  EXPECT_EQ(Error({ConfigFlag("port = 1\nprot = 2\n")}),
            path_ + ":2: prot is not a setting; --help lists them");
  EXPECT_EQ(Error({ConfigFlag("primary = 'a:1'\n")}),
            path_ + ":1: primary is not a setting of a primary");
  EXPECT_EQ(Error({ConfigFlag("config = 'x'\n")}), path_ + ":1: config cannot be set in a file");
  EXPECT_THAT(Error({ConfigFlag("timeout = -1\n")}),
              HasSubstr(path_ + ":1: timeout: '-1' is not a whole number of seconds from 0"));
  EXPECT_THAT(Error({"--config=/nowhere.toml"}),
              HasSubstr("/nowhere.toml: No such file or directory"));
}

TEST_F(SettingsLoaderTest, SecretsAreNotRepeated) {
  EXPECT_THAT(Error({ConfigFlag("requirepass = ['s3cret']\n")}), Not(HasSubstr("s3cret")));
}

TEST_F(SettingsLoaderTest, ErrorsAreOneLine) {
  role_ = NodeRole::kReplica;
  for (const char* argument : {"--port=a\nb", "--x\ny", "--max_replicas=0", "--port=1"}) {
    EXPECT_THAT(Error({argument}), Not(HasSubstr("\n")));
    EXPECT_NE(Error({argument}), "");
  }
}

TEST_F(SettingsLoaderTest, HelpIsAskedFor) {
  for (const char* help : {"--help", "-h"}) {
    const auto settings = Load({"--port=1", help});
    ASSERT_TRUE(settings.ok());
    EXPECT_EQ(*settings, nullptr);
  }
}

TEST_F(SettingsLoaderTest, HelpListsTheFlagsOfTheRole) {
  EXPECT_THAT(HelpText(NodeRole::kReplica), HasSubstr("--primary (required"));
  EXPECT_THAT(HelpText(NodeRole::kReplica), HasSubstr("--port (default 6380"));
  EXPECT_THAT(HelpText(NodeRole::kPrimary), Not(HasSubstr("--primary (")));
}

}  // namespace
}  // namespace tidemark
