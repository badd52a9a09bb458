// What the two programs promise to shells and supervisors: exit statuses, one clear line, a clean
// stop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <string>

#include "integration/harness/listener.h"
#include "integration/harness/node.h"
#include "integration/harness/process.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using testing::Optional;

const std::string kPrimary = "server/primary";
const std::string kReplica = "server/replica";

int Lines(const std::string& text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

std::string LastLine(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

struct BadFlags {
  std::string name;
  std::string program;
  std::vector<std::string> flags;
  std::string names;  // What the line must name.
};

class BadFlagsTest : public testing::TestWithParam<BadFlags> {};

TEST_P(BadFlagsTest, ExitsWith64AndOneLineThatNamesTheFault) {
  std::vector<std::string> command = {Runfile(GetParam().program)};
  command.insert(command.end(), GetParam().flags.begin(), GetParam().flags.end());
  Process process(command);
  EXPECT_THAT(process.WaitExit(kPatience), Optional(ExitedWith(64)));
  EXPECT_EQ(process.Output(), "");
  EXPECT_EQ(Lines(process.Errors()), 1) << process.Errors();
  EXPECT_THAT(process.Errors(), HasSubstr(GetParam().names));
}

INSTANTIATE_TEST_SUITE_P(
    Cli, BadFlagsTest,
    testing::Values(
        BadFlags{"UnknownFlag", kPrimary, {"--prot=1"}, "--prot"},
        BadFlags{"PortThatIsNoNumber", kPrimary, {"--port=abc"}, "--port"},
        BadFlags{"PortOutOfRange", kPrimary, {"--port=65536"}, "--port"},
        BadFlags{"NegativeShards", kPrimary, {"--shards=-1"}, "--shards"},
        BadFlags{"ArgumentThatIsNoFlag", kPrimary, {"serve"}, "serve"},
        BadFlags{"ReplicaWithoutPrimary", kReplica, {"--port=0"}, "--primary"},
        BadFlags{"PrimaryWithoutPort", kReplica, {"--primary=127.0.0.1"}, "--primary"},
        BadFlags{"FlagOfTheOtherRole", kPrimary, {"--primary=127.0.0.1:1"}, "--primary"},
        BadFlags{"FileThatIsNotThere", kPrimary, {"--config=/nowhere.toml"}, "/nowhere.toml"}),
    [](const testing::TestParamInfo<BadFlags>& info) { return info.param.name; });

TEST(CliTest, HelpGoesToStdoutAndIsNoFailure) {
  for (const std::string& program : {kPrimary, kReplica}) {
    Process process({Runfile(program), "--help"});
    EXPECT_THAT(process.WaitExit(kPatience), Optional(ExitedWith(0)));
    EXPECT_THAT(process.Output(), HasSubstr("--port"));
    EXPECT_EQ(process.Errors(), "");
  }
}

TEST(CliTest, ABusyPortExitsWith1AndALineThatNamesIt) {
  const Listener busy;
  const std::string port = std::to_string(busy.port());
  for (const auto& flags : {std::vector<std::string>{"--replication_port=0", "--port=" + port},
                            std::vector<std::string>{"--port=0", "--replication_port=" + port}}) {
    Process process({Runfile(kPrimary), flags[0], flags[1]});
    EXPECT_THAT(process.WaitExit(kPatience), Optional(ExitedWith(1)));
    EXPECT_EQ(process.Output(), "") << "a node that does not serve is not ready";
    EXPECT_THAT(LastLine(process.Errors()), HasSubstr(port));
    EXPECT_THAT(LastLine(process.Errors()), HasSubstr("in use"));
  }
}

class StopTest : public testing::TestWithParam<int> {};

TEST_P(StopTest, ASignalStopsAnIdleNodeCleanly) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1"});
  ASSERT_TRUE(replica.AwaitReady());
  for (Node* node : {&replica, &primary}) {
    node->process().Signal(GetParam());
    EXPECT_THAT(node->process().WaitExit(kPatience), Optional(ExitedWith(0)));
    EXPECT_EQ(Lines(node->process().Output()), 1) << "the ready line and nothing else";
  }
}

TEST_P(StopTest, ASignalStopsANodeWithClientsConnected) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient idle = primary.Connect();
  RedisClient waiting = primary.Connect();
  EXPECT_EQ(idle.Do({"PING"}), Reply::Status("PONG"));
  EXPECT_EQ(waiting.Do({"SET", "k", "v"}), Reply::Status("OK"));
  primary.process().Signal(GetParam());
  EXPECT_THAT(primary.process().WaitExit(kPatience), Optional(ExitedWith(0)));
  EXPECT_EQ(idle.Do({"PING"}).type, Reply::Type::kLost);
}

INSTANTIATE_TEST_SUITE_P(Signals, StopTest, testing::Values(SIGTERM, SIGINT),
                         [](const testing::TestParamInfo<int>& info) {
                           return info.param == SIGTERM ? "Term" : "CtrlC";
                         });

TEST(CliTest, AReplicaThatIsNotReadyYetStopsCleanlyToo) {
  // A primary that accepts and never speaks.
  Listener silent;
  Process replica(
      {Runfile(kReplica), "--port=0", "--primary=127.0.0.1:" + std::to_string(silent.port())});
  EXPECT_TRUE(silent.AwaitConnection(kPatience));
  replica.Signal(SIGTERM);
  EXPECT_THAT(replica.WaitExit(kPatience), Optional(ExitedWith(0)));
  EXPECT_EQ(replica.Output(), "");
}

TEST(CliTest, ShutdownStopsANode) {
  Node primary = Node::Primary({"--shards=1"});
  ASSERT_TRUE(primary.AwaitReady());
  EXPECT_EQ(primary.Connect().Do({"SHUTDOWN"}).type, Reply::Type::kLost);
  EXPECT_THAT(primary.process().WaitExit(kPatience), Optional(ExitedWith(0)));
}

}  // namespace
}  // namespace tidemark::integration
