// What an operator does with the change feed: sees who follows it, forgets who will not come back,
// changes the token, and is told when a consumer's position is lost.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "integration/harness/free_port.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;

class ExportCommandsTest : public testing::Test {
 protected:
  Node Start(Node::Flags more = {}) const {
    Node::Flags flags = {scratch_.data_dir(), "--shards=1", "--export_mode=listen",
                         fmt::format("--export_addr=127.0.0.1:{}", port_), "--export_token=sesame"};
    flags.insert(flags.end(), more.begin(), more.end());
    return Node::Primary(flags);
  }
  std::vector<std::string> Tideexport(const std::string& token,
                                      std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {Runfile("tools/tideexport/tideexport"),
                                        fmt::format("127.0.0.1:{}", port_),
                                        "--token=" + token,
                                        "--consumer=billing",
                                        "--from-beginning",
                                        "--resume=" + (scratch_.path() / "position").string()};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  // Its only consumer's field, in TIDE EXPORT LIST.
  static std::string Field(RedisClient& client, const char* name) {
    const Reply list = client.Do({"TIDE", "EXPORT", "LIST"});
    if (list.elements.size() != 1) return fmt::format("{} consumers", list.elements.size());
    const Reply* field = list.elements[0].Find(name);
    if (field == nullptr) return "no such field";
    return field->type == Reply::Type::kInteger ? std::to_string(field->integer) : field->text;
  }

  const Scratch scratch_;
  const int port_ = FreePort();
};

TEST_F(ExportCommandsTest, ConsumersAreListedAndForgotten) {
  Node node = Start();
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  EXPECT_EQ(client.Do({"TIDE", "EXPORT", "LIST"}), Reply::Array({}));
  EXPECT_EQ(client.Do({"SET", "k", "v"}), Reply::Status("OK"));
  {
    Process consumer(Tideexport("sesame"));
    ASSERT_TRUE(Eventually(kPatience, [&] { return Field(client, "state") == "streaming"; }));
    EXPECT_THAT(client.Do({"TIDE", "EXPORT", "FORGET", "billing"}).text,
                HasSubstr("consumer billing is connected"));
    ASSERT_TRUE(Eventually(kPatience, [&] { return Field(client, "lag_records") == "0"; }));
  }
  ASSERT_TRUE(Eventually(kPatience, [&] { return Field(client, "state") == "away"; }));
  EXPECT_EQ(Field(client, "name"), "billing");
  EXPECT_EQ(Field(client, "lost"), "0");
  EXPECT_EQ(client.Do({"TIDE", "EXPORT", "FORGET", "billing"}), Reply::Status("OK"));
  EXPECT_EQ(client.Do({"TIDE", "EXPORT", "LIST"}), Reply::Array({}));
  EXPECT_THAT(client.Do({"TIDE", "EXPORT", "FORGET", "billing"}).text,
              HasSubstr("there is no consumer billing"));
  EXPECT_TRUE(client.Do({"TIDE", "EXPORT", "LIST", "x"}).is_error());
  EXPECT_TRUE(client.Do({"TIDE", "EXPORT", "NOTHING"}).is_error());
}

TEST_F(ExportCommandsTest, WithoutAnExportThereIsNothingToList) {
  Node node = Node::Primary({});
  ASSERT_TRUE(node.AwaitReady());
  EXPECT_THAT(node.Connect().Do({"TIDE", "EXPORT", "LIST"}).text, HasSubstr("exports nothing"));
}

TEST_F(ExportCommandsTest, ATokenIsChangedWhileTheNodeRuns) {
  Node node = Start();
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(client.Do({"CONFIG", "SET", "export_token", "other"}), Reply::Status("OK"));
  EXPECT_THAT(client.Do({"CONFIG", "SET", "export_token", ""}).text, HasSubstr("needs one"));
  Process late(Tideexport("sesame", {"--until-current"}));
  EXPECT_EQ(late.WaitExit(kPatience), ExitedWith(1));
  EXPECT_THAT(late.Errors(), HasSubstr("TOKEN"));
  Process with(Tideexport("other", {"--until-current"}));
  EXPECT_EQ(with.WaitExit(kPatience), ExitedWith(0)) << with.Errors();
}

// The cap bounds what an absent consumer costs; past it he is told what he missed, and nothing is
// skipped.
TEST_F(ExportCommandsTest, APositionPastTheCapIsReportedAndNotSkipped) {
  Node node = Start({"--export_retain_bytes=64kb", "--segment_bytes=64kb", "--snapshot_every_s=0"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(client.Do({"SET", "first", "1"}), Reply::Status("OK"));
  {
    Process consumer(Tideexport("sesame", {"--until-current"}));
    ASSERT_EQ(consumer.WaitExit(kPatience), ExitedWith(0)) << consumer.Errors();
  }
  for (int i = 0; i < 1'000; ++i) {
    client.Queue({"SET", fmt::format("k{}", i), std::string(1'000, 'v')});
  }
  for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, Reply::Status("OK"));
  // Two, for the log since the one before the last is kept as well.
  ASSERT_TRUE(Eventually(kPatience, [&] {
    client.Do({"SET", "more", "1"});
    client.Do({"SAVE"});
    return Field(client, "lost") == "1";
  }));
  EXPECT_THAT(node.process().Errors(), HasSubstr("consumer billing has lost its position"));
  Process back(Tideexport("sesame", {"--until-current"}));
  EXPECT_EQ(back.WaitExit(kPatience), ExitedWith(1));
  EXPECT_THAT(back.Errors(), AllOf(HasSubstr("POSITION_LOST"), HasSubstr("shard 0: 2 to ")));
  EXPECT_EQ(back.Output(), "");
}

}  // namespace
}  // namespace tidemark::integration
