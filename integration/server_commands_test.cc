// The server's own commands answer as those of redis-server 7.0 do, on RESP2 and RESP3: both are
// told the same, line by line, by a table that also declares each difference that is meant.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "integration/harness/conversation.h"
#include "integration/harness/eventually.h"
#include "integration/harness/node.h"
#include "integration/harness/redis_server.h"
#include "integration/harness/resp_connection.h"

namespace tidemark::integration {
namespace {

constexpr char kTable[] = "integration/testdata/server_commands.txt";

std::vector<Conversation> Table() {
  std::ifstream file(Runfile(kTable));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto conversations = ParseConversations(text);
  if (!conversations.ok()) {
    ADD_FAILURE() << kTable << ": " << conversations.status();
    return {};
  }
  EXPECT_FALSE(conversations->empty()) << kTable;
  return *std::move(conversations);
}

std::string Masked(std::string reply, const std::vector<Exchange::Mask>& masks) {
  for (const Exchange::Mask& mask : masks) {
    reply = std::regex_replace(reply, std::regex(mask.regex), mask.replacement);
  }
  return reply;
}

// One server in one conversation.
class Side {
 public:
  Side(int port, int protocol) : port_(port), protocol_(protocol) {}

  // What is to be compared of an exchange's reply; empty if none is read.
  std::string Play(const Exchange& exchange) {
    RespConnection& connection = Connection(exchange.connection);
    if (!exchange.command.empty()) return Masked(connection.Do(exchange.command), exchange.masks);
    connection.Send(exchange.bytes);
    return exchange.reads ? Masked(connection.Read(), exchange.masks) : std::string();
  }

  // Until the server has noticed that the connections of earlier conversations are gone. False if
  // it does not.
  bool AwaitToBeAlone(char name) {
    RespConnection& connection = Connection(name);
    return Eventually(kPatience, [&] {
      const std::string clients = connection.Do({"CLIENT", "LIST"});
      return clients.find(" addr=") == clients.rfind(" addr=");
    });
  }

 private:
  RespConnection& Connection(char name) {
    const auto found = connections_.find(name);
    if (found != connections_.end()) return found->second;
    RespConnection connection(port_);
    if (protocol_ == 3) connection.Do({"HELLO", "3"});
    return connections_.emplace(name, std::move(connection)).first->second;
  }

  const int port_;
  const int protocol_;
  std::map<char, RespConnection> connections_;
};

// What it answers depends on who else is connected.
bool LooksAtClients(const Conversation& conversation) {
  return std::any_of(conversation.exchanges.begin(), conversation.exchanges.end(),
                     [](const Exchange& exchange) {
                       return exchange.text.find("CLIENT KILL") != std::string::npos ||
                              exchange.text.find("CLIENT LIST") != std::string::npos;
                     });
}

void Compare(const Exchange& exchange, const std::string& ours, const std::string& theirs) {
  const std::string both = fmt::format("{}:{}: {}\n  ours:   {}\n  theirs: {}", kTable,
                                       exchange.line, exchange.text, ours, theirs);
  if (exchange.ours) {
    EXPECT_EQ(ours, *exchange.ours) << both;
    EXPECT_NE(ours, theirs) << "declared as different, but they agree: " << both;
  } else if (exchange.differs) {
    EXPECT_NE(ours, theirs) << "declared as different, but they agree: " << both;
  } else {
    EXPECT_TRUE(ours == theirs) << both;
  }
}

class ServerCommandsTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { ASSERT_TRUE(redis_.AwaitReady() && primary_.AwaitReady()); }

  // Several shards: what a command does on all of them must be done by its reply.
  Node primary_ = Node::Primary({"--shards=3"});
  RedisServer redis_;
};

TEST_P(ServerCommandsTest, AnswerAsRedisDoes) {
  for (const Conversation& conversation : Table()) {
    if (conversation.only_protocol != 0 && conversation.only_protocol != GetParam()) continue;
    SCOPED_TRACE(conversation.title);
    Side ours(primary_.port(), GetParam());
    Side theirs(redis_.port(), GetParam());
    if (LooksAtClients(conversation)) {
      const char first = conversation.exchanges.front().connection;
      ASSERT_TRUE(ours.AwaitToBeAlone(first) && theirs.AwaitToBeAlone(first));
    }
    for (const Exchange& exchange : conversation.exchanges) {
      const std::string our_reply = ours.Play(exchange);
      const std::string their_reply = theirs.Play(exchange);
      if (exchange.reads) Compare(exchange, our_reply, their_reply);
      // Who waits for a reply that does not come has lost the thread.
      if (our_reply == "(silent)" || their_reply == "(silent)") break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Protocols, ServerCommandsTest, testing::Values(2, 3),
                         [](const testing::TestParamInfo<int>& info) {
                           return fmt::format("Resp{}", info.param);
                         });

}  // namespace
}  // namespace tidemark::integration
