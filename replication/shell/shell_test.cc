// The link threads of a primary and of replicas over real sockets, with shards on threads of their
// own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "base/eventually.h"
#include "fmt/format.h"
#include "replication/shell/replica_client.h"
#include "replication/shell/replication_server.h"
#include "replication/shell/test_shards.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(30);

// Looks until it holds, for a long time at most; whether it does.
struct Primary {
  explicit Primary(int shards, uint64_t history = 7, uint16_t port = 0,
                   const std::string& token = "secret")
      : shards(shards, HistoryId(history)) {
    ReplicationServer::Options options;
    options.port = port;
    options.history = HistoryId(history);
    options.hub.link.tokens.current = token;
    options.hub.link.heartbeat_interval_ms = 20;
    server = std::make_unique<ReplicationServer>(options, this->shards.publishing(),
                                                 this->shards.calls());
    const absl::Status started = server->Start();
    EXPECT_TRUE(started.ok()) << started;
  }
  ~Primary() {
    server->Stop();
    shards.Stop();
  }

  // The replicas that have all that is written by now; gives up after a long time.
  int WaitForReplicas(int replicas) {
    std::promise<int> covering;
    server->WaitFor(shards.Emitted(), replicas, 20'000,
                    [&](int count) { covering.set_value(count); });
    return covering.get_future().get();
  }

  TestShards shards;
  std::unique_ptr<ReplicationServer> server;
};

struct Replica {
  Replica(int shards, uint16_t port, const std::string& token = "secret",
          const std::string& node_id = "node")
      : shards(shards, HistoryId()) {
    ReplicaClient::Options options;
    options.primary_host = "localhost";
    options.primary_port = port;
    options.link.node_id = node_id;
    options.link.token = token;
    options.link.want_zstd = true;
    options.link.connect_timeout_ms = 5'000;
    options.link.backoff = {.first_ms = 5, .longest_ms = 50};
    client =
        std::make_unique<ReplicaClient>(options, this->shards.keyspaces(), this->shards.calls());
    client->Start([this] { synced.set_value(); });
  }
  ~Replica() {
    client->Stop();
    shards.Stop();
  }

  bool AwaitSync() { return synced.get_future().wait_for(kPatience) == std::future_status::ready; }

  TestShards shards;
  std::promise<void> synced;
  std::unique_ptr<ReplicaClient> client;
};

TEST(ShellTest, ReplicasOfAnyShardCountGetWhatWasThereAndWhatComes) {
  Primary primary(2);
  for (int i = 0; i < 2'000; ++i) primary.shards.Set(fmt::format("before:{}", i), "old");
  Replica one(1, primary.server->port(), "secret", "one");
  Replica two(2, primary.server->port(), "secret", "two");
  Replica three(3, primary.server->port(), "secret", "three");
  for (int i = 0; i < 2'000; ++i) primary.shards.Set(fmt::format("during:{}", i), "new");
  ASSERT_TRUE(one.AwaitSync() && two.AwaitSync() && three.AwaitSync());
  for (int i = 0; i < 2'000; ++i) primary.shards.Set(fmt::format("before:{}", i), "changed");

  EXPECT_EQ(primary.WaitForReplicas(3), 3);
  const auto expected = primary.shards.Contents();
  EXPECT_EQ(expected.size(), 4'000u);
  EXPECT_EQ(one.shards.Contents(), expected);
  EXPECT_EQ(two.shards.Contents(), expected);
  EXPECT_EQ(three.shards.Contents(), expected);
}

TEST(ShellTest, APrimarysTokensMayChange) {
  Primary primary(1);
  Replica early(1, primary.server->port(), "secret", "early");
  ASSERT_TRUE(early.AwaitSync());
  primary.server->SetTokens({.current = "new", .previous = "newer"});
  Replica renewed(1, primary.server->port(), "new", "renewed");
  Replica ahead(1, primary.server->port(), "newer", "ahead");
  ASSERT_TRUE(renewed.AwaitSync() && ahead.AwaitSync());
  primary.shards.Set("key", "value");
  EXPECT_EQ(primary.WaitForReplicas(3), 3) << "who was there before stays";
}

TEST(ShellTest, WaitGivesUpAtItsDeadlineWithTheCountThatItHas) {
  Primary primary(1);
  std::promise<int> covering;
  primary.server->WaitFor(primary.shards.Emitted(), 1, 1,
                          [&](int count) { covering.set_value(count); });
  EXPECT_EQ(covering.get_future().get(), 0);
}

TEST(ShellTest, StoppingThePrimarySendsWhatIsEmittedFirst) {
  auto primary = std::make_unique<Primary>(2);
  Replica replica(2, primary->server->port());
  ASSERT_TRUE(replica.AwaitSync());
  for (int i = 0; i < 5'000; ++i) primary->shards.Set(fmt::format("key:{}", i), "value");
  const Watermarks emitted = primary->shards.Emitted();
  primary->server->Stop();
  primary->shards.Stop();
  EXPECT_TRUE(Eventually([&] { return replica.client->status().applied == emitted; }));
}

TEST(ShellTest, AReplicaThatReconnectsContinuesItsStream) {
  Primary primary(2);
  uint16_t port = primary.server->port();
  Replica replica(2, port);
  ASSERT_TRUE(replica.AwaitSync());
  for (int i = 0; i < 100; ++i) primary.shards.Set(fmt::format("key:{}", i), "value");
  ASSERT_EQ(primary.WaitForReplicas(1), 1);

  // The server goes and comes back; the shards, their history and their backlogs stay.
  primary.server->Stop();
  ReplicationServer::Options options;
  options.port = port;
  options.history = HistoryId(7);
  options.hub.link.tokens.current = "secret";
  ReplicationServer again(options, primary.shards.publishing(), primary.shards.calls());
  ASSERT_TRUE(again.Start().ok());
  for (int i = 0; i < 100; ++i) primary.shards.Set(fmt::format("more:{}", i), "value");
  std::promise<int> covering;
  again.WaitFor(primary.shards.Emitted(), 1, 20'000, [&](int count) { covering.set_value(count); });
  EXPECT_EQ(covering.get_future().get(), 1);
  EXPECT_TRUE(
      Eventually([&] { return replica.client->status().link.plans_without_snapshot == 1; }));
  EXPECT_EQ(replica.client->status().link.plans_with_snapshot, 1u);
  again.Stop();
  replica.client->Stop();
  primary.shards.Stop();
}

TEST(ShellTest, AWrongTokenIsRefusedAndTheReplicaSaysSo) {
  Primary primary(1);
  Replica replica(1, primary.server->port(), "wrong");
  EXPECT_TRUE(Eventually([&] { return replica.client->status().link_state == "refused"; }));
  EXPECT_THAT(replica.client->status().last_failure, HasSubstr("TOKEN"));
}

TEST(ShellTest, GarbageOnThePortEndsItsConnectionAndNothingElse) {
  Primary primary(1);
  Replica replica(1, primary.server->port());
  ASSERT_TRUE(replica.AwaitSync());
  asio::io_context context;
  for (int i = 0; i < 50; ++i) {
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), primary.server->port()});
    asio::error_code ignored;
    asio::write(socket,
                asio::buffer(std::string(static_cast<size_t>(i) * 37, static_cast<char>(i * 7))),
                ignored);
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    std::string answer(1 << 10, '\0');
    asio::read(socket, asio::buffer(answer), ignored);  // Until it is closed.
  }
  primary.shards.Set("key", "value");
  EXPECT_EQ(primary.WaitForReplicas(1), 1);
  EXPECT_TRUE(Eventually([&] { return primary.server->status().replicas.size() == 1; }));
}

TEST(ShellTest, StatusShowsEachReplica) {
  Primary primary(2);
  Replica replica(1, primary.server->port());
  ASSERT_TRUE(replica.AwaitSync());
  primary.shards.Set("key", "value");
  ASSERT_EQ(primary.WaitForReplicas(1), 1);
  const Watermarks emitted = primary.shards.Emitted();
  ReplicationServer::Status status;
  EXPECT_TRUE(Eventually([&] { return (status = primary.server->status()).acked == emitted; }));
  ASSERT_EQ(status.replicas.size(), 1u);
  EXPECT_EQ(status.replicas[0].state, "online");
  EXPECT_EQ(status.replicas[0].acked, emitted);
  EXPECT_EQ(status.replicas[0].lag_records, 0u);
  EXPECT_GE(status.sent.sent_chunks, 2u);
}

}  // namespace
}  // namespace tidemark::replication
