#include "net/client_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "net/test_client.h"

namespace tidemark::net {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

constexpr int64_t kSecond = 1000;

std::string Repeat(std::string_view text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

std::string Echo(const std::string& text) {
  return "*2\r\n$4\r\nECHO\r\n$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

std::string Bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

class ClientConnectionTest : public testing::Test {
 protected:
  // Sends all of `bytes` while the server runs and the client reads its replies.
  void SendAll(TestClient& client, std::string_view bytes) {
    ASSERT_TRUE(server.TurnUntil([&] {
      bytes.remove_prefix(client.Send(bytes));
      client.Receive();
      return bytes.empty();
    }));
  }
  // Until the server has the connection.
  ClientConnection* Accept(TestClient& client) {
    const uint64_t before = server.listener->counters().accepted.value();
    EXPECT_TRUE(
        server.TurnUntil([&] { return server.listener->counters().accepted.value() > before; }));
    return server.last;
  }

  TestServer server;
};

TEST_F(ClientConnectionTest, AnswersOneCommand) {
  TestClient client(server.port());
  client.Send("PING\r\n");
  ASSERT_TRUE(server.TurnUntilReceived(client, 5));
  EXPECT_EQ(client.received(), "+OK\r\n");
}

TEST_F(ClientConnectionTest, AnswersADeepPipelineInOrderAndInBatchesOf32AtMost) {
  TestClient client(server.port());
  std::string requests, replies;
  for (int i = 0; i < 20'000; ++i) {
    requests += Echo(std::to_string(i));
    replies += Bulk(std::to_string(i));
  }
  SendAll(client, requests);
  ASSERT_TRUE(server.TurnUntilReceived(client, replies.size()));
  EXPECT_EQ(client.received(), replies);
  EXPECT_THAT(server.batches, Each(Le(32u)));
}

TEST_F(ClientConnectionTest, UnderstandsAClientThatSendsByteByByte) {
  TestClient client(server.port());
  const std::string requests = Echo("hello") + "PING\r\n" + Echo("");
  for (const char c : requests) {
    client.Send({&c, 1});
    server.Turn();
  }
  const std::string replies = Bulk("hello") + "+OK\r\n" + Bulk("");
  ASSERT_TRUE(server.TurnUntilReceived(client, replies.size()));
  EXPECT_EQ(client.received(), replies);
}

TEST_F(ClientConnectionTest, TakesArgumentsOfEverySizeInPipelines) {
  TestClient client(server.port());
  for (const size_t size : {16'000u, 16'384u, 32'768u, 65'536u, 100'000u, 3'000'000u}) {
    const std::string requests = Echo("a") + Echo(std::string(size, 'x')) + Echo("b");
    const size_t before = client.received().size();
    SendAll(client, requests);
    const std::string replies = Bulk("a") + Bulk(std::string(size, 'x')) + Bulk("b");
    ASSERT_TRUE(server.TurnUntilReceived(client, before + replies.size())) << size;
    EXPECT_EQ(client.received().substr(before), replies) << size;
  }
  EXPECT_EQ(server.last->input_memory_bytes(), 0u);
}

TEST_F(ClientConnectionTest, AnIdleConnectionCostsLittle) {
  TestClient client(server.port());
  SendAll(client, Echo(std::string(100'000, 'x')) + Repeat("PING\r\n", 1000));
  ASSERT_TRUE(server.TurnUntilReceived(client, Bulk(std::string(100'000, 'x')).size() + 5000));
  EXPECT_LT(server.last->memory_bytes(), 2048u);
  EXPECT_EQ(server.loop.chunks().in_use(), 0u);
}

TEST_F(ClientConnectionTest, SendsLargeValuesWhole) {
  TestClient client(server.port());
  client.Send("BIG 20000000\r\nPING\r\n");
  const std::string reply = Bulk(std::string(20'000'000, 'b')) + "+OK\r\n";
  ASSERT_TRUE(server.TurnUntilReceived(client, reply.size()));
  EXPECT_EQ(client.received(), reply);
}

TEST_F(ClientConnectionTest, QuitClosesAfterItsReplyAndDropsWhatFollows) {
  TestClient client(server.port());
  client.Send("PING\r\nQUIT\r\nPING\r\n");
  ASSERT_TRUE(server.TurnUntilClosed(client));
  EXPECT_EQ(client.received(), "+OK\r\n+OK\r\n");
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kReply));
}

TEST_F(ClientConnectionTest, GarbageIsAnsweredAfterTheCommandsBeforeItThenClosed) {
  TestClient client(server.port());
  client.Send("PING\r\n*1\r\n!garbage\r\n");
  ASSERT_TRUE(server.TurnUntilClosed(client));
  EXPECT_EQ(client.received(), "+OK\r\n-ERR Protocol error: expected '$', got '!'\r\n");
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kProtocolError));
}

TEST_F(ClientConnectionTest, AHalfClosedClientStillGetsItsReplies) {
  TestClient client(server.port());
  client.Send("PING\r\nECHO last\r\n");
  client.FinishSending();
  ASSERT_TRUE(server.TurnUntilClosed(client));
  EXPECT_EQ(client.received(), "+OK\r\n$4\r\nlast\r\n");
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kClient));
}

TEST_F(ClientConnectionTest, AHalfClosedClientGetsMoreThanTheSocketHolds) {
  TestClient client(server.port(), 4096);
  client.Send("BIG 20000000\r\n");
  client.FinishSending();
  for (int i = 0; i < 10; ++i) server.Turn();
  ASSERT_TRUE(server.TurnUntilClosed(client));
  EXPECT_EQ(client.received(), Bulk(std::string(20'000'000, 'b')));
}

TEST_F(ClientConnectionTest, ClosesWhenTheClientDoes) {
  TestClient client(server.port());
  Accept(client);
  client.Close();
  ASSERT_TRUE(server.TurnUntil([&] { return !server.closed.empty(); }));
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kClient));
  EXPECT_EQ(server.connections.size(), 0u);
  EXPECT_EQ(server.limit.count(), 0);
}

TEST_F(ClientConnectionTest, APausedConnectionReadsNoMoreAndGoesOnWhereItStopped) {
  TestClient client(server.port());
  client.Send("PING\r\nHOLD\r\nECHO a\r\nECHO b\r\n");
  ASSERT_TRUE(server.TurnUntilReceived(client, 5));
  ASSERT_TRUE(server.last->paused());
  client.Send("ECHO c\r\n");
  for (int i = 0; i < 10; ++i) server.Turn();
  EXPECT_THAT(server.batches, SizeIs(1));
  EXPECT_EQ(server.connections.counters().bytes_in.value(), 28u);

  server.holding = false;
  server.last->Resume();
  ASSERT_TRUE(server.TurnUntilReceived(client, 31));
  EXPECT_EQ(client.received(), "+OK\r\n+OK\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
}

TEST_F(ClientConnectionTest, APauseWithinAnUnfinishedCommandLosesNothing) {
  TestClient client(server.port());
  client.Send("*1\r\n$4\r\nHOLD\r\nECHO a\r\n*2\r\n$4\r\nECHO\r\n$3\r\nb");
  ASSERT_TRUE(server.TurnUntil([&] { return !server.batches.empty(); }));
  server.holding = false;
  server.last->Resume();
  client.Send("cd\r\n");
  ASSERT_TRUE(server.TurnUntilReceived(client, 21));
  EXPECT_EQ(client.received(), "+OK\r\n$1\r\na\r\n$3\r\nbcd\r\n");
}

TEST_F(ClientConnectionTest, APausedClientThatGoesAwayIsNoticed) {
  TestClient client(server.port());
  client.Send("PING\r\nHOLD\r\n");
  ASSERT_TRUE(server.TurnUntil([&] { return !server.batches.empty(); }));
  // Unread data makes the kernel reset the connection.
  ASSERT_TRUE(server.TurnUntil([&] { return server.connections.counters().writes.value() == 1; }));
  client.Close();
  EXPECT_TRUE(server.TurnUntil([&] { return !server.closed.empty(); }));
}

TEST_F(ClientConnectionTest, AClientThatNeverReadsIsCutAtTheHardLimit) {
  server.connections.settings().output_limits[0].hard_bytes = 10'000'000;
  TestClient client(server.port(), 4096);
  Accept(client);
  ASSERT_TRUE(server.TurnUntil([&] {
    client.Send("BIG 1000000\r\n");
    return !server.closed.empty();
  }));
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kOutputLimit));
  EXPECT_EQ(server.connections.counters().closed_by_output_limit.value(), 1u);
  EXPECT_EQ(server.loop.chunks().in_use(), 0u);
}

TEST_F(ClientConnectionTest, TheSoftLimitCutsOnlyAfterItsTime) {
  server.connections.settings().output_limits[0] = {0, 1'000'000, 10};
  TestClient client(server.port(), 4096);
  client.Send("BIG 20000000\r\n");
  Accept(client);
  ASSERT_TRUE(server.TurnUntil([&] { return !server.batches.empty(); }));
  server.clock.AdvanceMillis(9 * kSecond);
  server.Turn();
  server.connections.Tick();
  EXPECT_THAT(server.closed, IsEmpty());
  server.clock.AdvanceMillis(2 * kSecond);
  server.Turn();
  server.connections.Tick();
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kOutputLimit));
}

TEST_F(ClientConnectionTest, AClientThatReadsAgainEscapesTheSoftLimit) {
  server.connections.settings().output_limits[0] = {0, 1'000'000, 10};
  TestClient client(server.port(), 4096);
  client.Send("BIG 20000000\r\n");
  ASSERT_TRUE(server.TurnUntilReceived(client, 20'000'000));
  server.clock.AdvanceMillis(20 * kSecond);
  server.Turn();
  server.connections.Tick();
  EXPECT_THAT(server.closed, IsEmpty());
}

TEST_F(ClientConnectionTest, ACommandBeyondTheQueryBufferLimitCloses) {
  server.connections.settings().query_buffer_limit_bytes = 1'000'000;
  TestClient client(server.port());
  const std::string request = Echo(std::string(3'000'000, 'x'));
  std::string_view rest = request;
  ASSERT_TRUE(server.TurnUntil([&] {
    rest.remove_prefix(client.Send(rest));
    return !server.closed.empty();
  }));
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kQueryBufferLimit));
}

TEST_F(ClientConnectionTest, IdleClientsAreClosedAfterTheTimeoutAndActiveOnesAreNot) {
  server.connections.settings().idle_timeout_ms = 10 * kSecond;
  TestClient idle(server.port());
  Accept(idle);
  TestClient active(server.port());
  Accept(active);
  server.clock.AdvanceMillis(9 * kSecond);
  active.Send("PING\r\n");
  ASSERT_TRUE(server.TurnUntilReceived(active, 5));
  server.clock.AdvanceMillis(2 * kSecond);
  server.Turn();
  server.connections.Tick();
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kIdle));
  EXPECT_TRUE(server.TurnUntilClosed(idle));
  active.Send("PING\r\n");
  EXPECT_TRUE(server.TurnUntilReceived(active, 10));
}

TEST_F(ClientConnectionTest, OneClientKillsAnother) {
  TestClient victim(server.port());
  const uint64_t id = Accept(victim)->id();
  TestClient killer(server.port());
  killer.Send("KILL " + std::to_string(id) + "\r\n");
  ASSERT_TRUE(server.TurnUntilClosed(victim));
  EXPECT_TRUE(server.TurnUntilReceived(killer, 5));
  EXPECT_EQ(server.connections.Find(id), nullptr);
}

TEST_F(ClientConnectionTest, AClientMayKillItself) {
  TestClient client(server.port());
  const uint64_t id = Accept(client)->id();
  client.Send("PING\r\nKILL " + std::to_string(id) + "\r\nPING\r\n");
  ASSERT_TRUE(server.TurnUntilClosed(client));
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kReply));
}

TEST_F(ClientConnectionTest, OutputWrittenBetweenCommandsLeavesAfterMarkDirty) {
  TestClient client(server.port());
  ClientConnection* connection = Accept(client);
  connection->writer().PushHeader(1);
  connection->writer().Integer(7);
  connection->MarkDirty();
  ASSERT_TRUE(server.TurnUntilReceived(client, 8));
  EXPECT_EQ(client.received(), "*1\r\n:7\r\n");
}

TEST_F(ClientConnectionTest, AReadLimitSlowsAClientDownButLosesNothing) {
  TestClient client(server.port());
  Accept(client)->set_read_limit(10);
  client.Send(Repeat("PING\r\n", 10));
  server.Turn();
  EXPECT_LE(server.connections.counters().bytes_in.value(), 10u);
  EXPECT_TRUE(server.TurnUntilReceived(client, 50));
}

TEST_F(ClientConnectionTest, ABusyClientLeavesEachTurnToTheOthers) {
  TestClient busy(server.port());
  TestClient other(server.port());
  ASSERT_TRUE(server.TurnUntil([&] { return server.connections.size() == 2; }));
  const std::string flood = Repeat("PING\r\n", 50'000);
  busy.Send(flood);
  other.Send("PING\r\n");
  server.Turn();
  EXPECT_LE(server.connections.counters().bytes_in.value(), IoLoop::kReadBytes + 6);
  EXPECT_TRUE(server.TurnUntilReceived(other, 5));
}

TEST_F(ClientConnectionTest, ManyPartialCommandsDoNotMixTheirBytes) {
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<std::string> requests;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<TestClient>(server.port()));
    requests.push_back(Echo("value of " + std::to_string(i)));
  }
  for (size_t at = 0; at < 40; ++at) {
    for (int i = 0; i < 50; ++i) {
      if (at < requests[i].size()) clients[i]->Send(requests[i].substr(at, 1));
    }
    server.Turn();
  }
  for (int i = 0; i < 50; ++i) {
    const std::string reply = Bulk("value of " + std::to_string(i));
    EXPECT_TRUE(server.TurnUntilReceived(*clients[i], reply.size()));
    EXPECT_EQ(clients[i]->received(), reply);
  }
}

TEST_F(ClientConnectionTest, OutputBeyondTheSendLimitStaysUntilItIsRaised) {
  TestClient client(server.port());
  ClientConnection* connection = Accept(client);
  connection->set_send_limit(7);
  client.Send(Repeat("PING\r\n", 4));
  ASSERT_TRUE(server.TurnUntilReceived(client, 7));
  server.Turn();
  client.Receive();
  EXPECT_EQ(client.received(), "+OK\r\n+O");
  EXPECT_TRUE(connection->held_back());
  EXPECT_EQ(connection->output_position(), 20u);

  connection->set_send_limit(20);
  connection->MarkDirty();
  ASSERT_TRUE(server.TurnUntilReceived(client, 20));
  EXPECT_FALSE(connection->held_back());
}

TEST_F(ClientConnectionTest, ClosingWaitsForOutputBeyondTheSendLimit) {
  TestClient client(server.port());
  ClientConnection* connection = Accept(client);
  connection->set_send_limit(0);
  client.Send("PING\r\n");
  ASSERT_TRUE(server.TurnUntil([&] { return connection->output_bytes() == 5; }));
  connection->CloseAfterReply();
  server.Turn();
  EXPECT_THAT(server.closed, IsEmpty());
  connection->set_send_limit(5);
  connection->MarkDirty();
  ASSERT_TRUE(server.TurnUntilClosed(client));
  EXPECT_EQ(client.received(), "+OK\r\n");
}

TEST_F(ClientConnectionTest, HeldOutputCountsAgainstTheOutputLimit) {
  TestClient client(server.port());
  server.connections.settings().output_limits[0].hard_bytes = 100;
  Accept(client)->set_send_limit(0);
  client.Send(Repeat("PING\r\n", 30));
  ASSERT_TRUE(server.TurnUntilClosed(client));
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kOutputLimit));
}

TEST_F(ClientConnectionTest, TellsWhoTheClientIs) {
  TestClient client(server.port());
  const ClientConnection* connection = Accept(client);
  EXPECT_EQ(connection->local_address(), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_THAT(connection->address(), testing::StartsWith("127.0.0.1:"));
  EXPECT_EQ(connection->created_ms(), server.clock.UnixMillis());
  EXPECT_GT(connection->id(), 0u);
}

TEST_F(ClientConnectionTest, ShutdownClosesAllOnce) {
  TestClient first(server.port()), second(server.port());
  ASSERT_TRUE(server.TurnUntil([&] { return server.connections.size() == 2; }));
  server.connections.CloseAll(CloseReason::kShutdown);
  server.Turn();
  EXPECT_THAT(server.closed, ElementsAre(CloseReason::kShutdown, CloseReason::kShutdown));
}

}  // namespace
}  // namespace tidemark::net
