#include "net/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

#include "net/test_client.h"

namespace tidemark::net {
namespace {

using testing::HasSubstr;

TEST(ListenerTest, ServesAThousandClients) {
  TestServer server;
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(std::make_unique<TestClient>(server.port()));
    ASSERT_TRUE(clients.back()->connected());
    clients.back()->Send("ECHO " + std::to_string(i) + "\r\n");
    if (i % 100 == 99) server.Turn();
  }
  for (int i = 0; i < 1000; ++i) {
    const std::string text = std::to_string(i);
    const std::string reply = "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
    ASSERT_TRUE(server.TurnUntilReceived(*clients[i], reply.size()));
    EXPECT_EQ(clients[i]->received(), reply);
  }
  EXPECT_EQ(server.limit.count(), 1000);
}

TEST(ListenerTest, BeyondMaxClientsTheNextIsToldAndClosed) {
  TestServer server(/*max_clients=*/2);
  TestClient first(server.port()), second(server.port());
  ASSERT_TRUE(server.TurnUntil([&] { return server.connections.size() == 2; }));
  TestClient third(server.port());
  ASSERT_TRUE(server.TurnUntilClosed(third));
  EXPECT_EQ(third.received(), "-ERR max number of clients reached\r\n");
  EXPECT_EQ(server.listener->counters().refused_max_clients.value(), 1u);

  first.Close();
  ASSERT_TRUE(server.TurnUntil([&] { return server.limit.count() == 1; }));
  TestClient fourth(server.port());
  fourth.Send("PING\r\n");
  EXPECT_TRUE(server.TurnUntilReceived(fourth, 5));
}

TEST(ListenerTest, SeveralLoopsShareOnePort) {
  TestServer server;
  IoLoop loop;
  ConnectionSet connections(loop, server.limit);
  Listener::Options options;
  options.port = server.port();
  options.sharing = Listener::Options::Sharing::kJoin;
  auto second = Listener::Open(options, connections, server.limit, &server);
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  EXPECT_EQ((*second)->port(), server.port());
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(std::make_unique<TestClient>(server.port()));
  ASSERT_TRUE(server.TurnUntil([&] {
    loop.Wait(1);
    return server.connections.size() + connections.size() == 64;
  }));
  EXPECT_GT(server.connections.size(), 0u);
  EXPECT_GT(connections.size(), 0u);
}

TEST(ListenerTest, APortThatAnotherHasIsRefusedWithAdvice) {
  TestServer server;
  Listener::Options options;
  options.port = server.port();
  const auto second = Listener::Open(options, server.connections, server.limit, &server);
  ASSERT_FALSE(second.ok());
  const std::string text = second.status().ToString();
  EXPECT_THAT(text, HasSubstr("cannot listen on 127.0.0.1 port " + std::to_string(server.port())));
  EXPECT_THAT(text, HasSubstr("Address already in use"));
  EXPECT_THAT(text, HasSubstr("choose another port"));
}

TEST(ListenerTest, AnAddressThatIsNoneIsRefused) {
  TestServer server;
  Listener::Options options;
  options.address = "localhost";
  const auto listener = Listener::Open(options, server.connections, server.limit, &server);
  ASSERT_FALSE(listener.ok());
  EXPECT_THAT(listener.status().ToString(), HasSubstr("numeric"));
  options.address = "192.0.2.1";
  const auto foreign = Listener::Open(options, server.connections, server.limit, &server);
  ASSERT_FALSE(foreign.ok());
  EXPECT_THAT(foreign.status().ToString(), HasSubstr("no interface"));
}

TEST(ListenerTest, ListensOnIpv6) {
  TestServer server;
  Listener::Options options;
  options.address = "::";
  const auto listener = Listener::Open(options, server.connections, server.limit, &server);
  if (!listener.ok() && listener.status().ToString().find("IPv6") != std::string::npos) {
    GTEST_SKIP() << "no IPv6 here";
  }
  ASSERT_TRUE(listener.ok()) << listener.status().ToString();
  TestClient client((*listener)->port());  // By IPv4.
  client.Send("PING\r\n");
  EXPECT_TRUE(server.TurnUntilReceived(client, 5));
}

TEST(ListenerTest, AfterStopNobodyComesInAndClientsStay) {
  TestServer server;
  TestClient client(server.port());
  ASSERT_TRUE(server.TurnUntil([&] { return server.connections.size() == 1; }));
  const uint16_t port = server.port();
  server.listener->Stop();
  EXPECT_FALSE(TestClient(port).connected());
  client.Send("PING\r\n");
  EXPECT_TRUE(server.TurnUntilReceived(client, 5));
}

// Runs in a child process because the limit holds for all of a process. Exits with 0 if all is
// well.
void RunOutOfDescriptors() {
  TestServer server;
  TestClient first(server.port());
  // Served once before: what sanitizers check at the first call takes descriptors.
  first.Send("PING\r\n");
  CHECK(server.TurnUntilReceived(first, 5));
  TestClient waiting(server.port());
  // No number above those in use is left; the server's end of `waiting` has none yet.
  const UniqueFd probe(::dup(0));
  rlimit limit{static_cast<rlim_t>(probe.get()), static_cast<rlim_t>(probe.get()) + 100};
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);

  // The waiting client is told, the first is served, and the listener rests instead of spinning.
  CHECK(server.TurnUntilClosed(waiting));
  CHECK(waiting.received() == "-ERR max number of clients reached\r\n");
  CHECK(server.listener->counters().out_of_descriptors.value() == 1);
  first.Send("PING\r\n");
  CHECK(server.TurnUntilReceived(first, 10));
  size_t ran = 0;
  for (int i = 0; i < 10; ++i) ran += server.loop.Poll();
  CHECK(ran <= 1);

  // With descriptors again it accepts again.
  limit.rlim_cur += 100;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  TestClient next(server.port());
  next.Send("PING\r\n");
  CHECK(server.TurnUntilReceived(next, 5));
  ::_exit(0);  // Without what sanitizers do at the end, which wants descriptors.
}

TEST(ListenerTest, OutOfDescriptorsItRefusesRestsAndComesBack) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(RunOutOfDescriptors(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tidemark::net
