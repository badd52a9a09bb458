#include "replication/shell/primary_locator.h"

#include <gtest/gtest.h>

#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <string>

namespace tidemark::replication {
namespace {

std::string Bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

TEST(PeerAnswerTest, IsReadAsItWasWritten) {
  const std::string bytes = Bulk(PeerAnswerText(
      {.speaks_resp = true, .role = "primary", .node_id = "abc", .replication_port = 7631}));
  for (size_t n = 0; n + 2 < bytes.size(); ++n) {
    const auto answer = ParsePeerAnswer(bytes.substr(0, n), false);
    ASSERT_TRUE(answer.ok()) << n;
    EXPECT_FALSE(answer->has_value()) << n;
  }
  const auto answer = ParsePeerAnswer(bytes, false);
  ASSERT_TRUE(answer.ok() && answer->has_value());
  EXPECT_TRUE((*answer)->speaks_resp);
  EXPECT_EQ((*answer)->role, "primary");
  EXPECT_EQ((*answer)->node_id, "abc");
  EXPECT_EQ((*answer)->replication_port, 7631);
}

TEST(PeerAnswerTest, WhatIsNotRespIsAReplicationPort) {
  for (const std::string_view bytes : {"TDMC\x01\x07", "HTTP/1.1", "\x16\x03"}) {
    const auto answer = ParsePeerAnswer(bytes, false);
    ASSERT_TRUE(answer.ok() && answer->has_value()) << bytes;
    EXPECT_FALSE((*answer)->speaks_resp) << bytes;
  }
  const auto closed = ParsePeerAnswer("", true);
  ASSERT_TRUE(closed.ok() && closed->has_value());
  EXPECT_FALSE((*closed)->speaks_resp);
}

TEST(PeerAnswerTest, AnotherServerIsNoNode) {
  for (const std::string& bytes :
       {std::string("-ERR unknown command 'TIDE'\r\n"), std::string("+OK\r\n"), Bulk("hello"),
        Bulk("role=primary node=x replication_port=70000"), Bulk("role=primary node=x"),
        std::string("$99999999999999999999\r\n"), std::string("$-1\r\n"),
        std::string("$5000\r\n")}) {
    EXPECT_EQ(ParsePeerAnswer(bytes, false).status().code(), absl::StatusCode::kFailedPrecondition)
        << bytes;
  }
  EXPECT_FALSE(ParsePeerAnswer("$10\r\nrole", true).ok());
  EXPECT_FALSE(ParsePeerAnswer("-" + std::string(5000, 'x'), false).ok());
}

// A server that answers one connection with `answer`.
class PrimaryLocatorTest : public testing::Test {
 protected:
  absl::StatusOr<LocatedPrimary> Locate(const std::string& answer,
                                        const std::string& own_id = "me") {
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::address_v4::loopback(), 0});
    port_ = acceptor.local_endpoint().port();
    asio::ip::tcp::socket peer(context_);
    acceptor.async_accept(peer, [&](const asio::error_code& error) {
      if (!error) asio::write(peer, asio::buffer(answer));
    });
    return Ask(own_id);
  }
  absl::StatusOr<LocatedPrimary> Ask(const std::string& own_id) {
    absl::StatusOr<LocatedPrimary> found = absl::DeadlineExceededError("no callback");
    PrimaryLocator locator(context_);
    bool called = false;
    locator.Locate("127.0.0.1", port_, own_id, [&](absl::StatusOr<LocatedPrimary> answer) {
      found = std::move(answer);
      called = true;
    });
    context_.restart();
    while (!called && context_.run_one() > 0) {
    }
    return found;
  }

  asio::io_context context_;
  uint16_t port_ = 0;
};

TEST_F(PrimaryLocatorTest, AClientPortSaysWhereReplicasConnect) {
  const auto found = Locate(Bulk("role=primary node=you replication_port=4711"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->port, 4711);
  EXPECT_FALSE(found->is_replica);
}

TEST_F(PrimaryLocatorTest, AReplicaThatTakesReplicasSaysWhomItFollows) {
  const std::string answer = "role=replica node=you replication_port=4711 follows=other,root";
  const auto found = Locate(Bulk(answer));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->port, 4711);
  EXPECT_TRUE(found->is_replica);
  for (const char* in_it : {"other", "root"}) {
    EXPECT_EQ(Locate(Bulk(answer), in_it).status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST_F(PrimaryLocatorTest, AReplicationPortIsTakenAsItIs) {
  const auto found = Locate("TDMC");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->port, port_);
}

TEST_F(PrimaryLocatorTest, ItselfAndANodeWithoutReplicasAreRefused) {
  const auto self = Locate(Bulk("role=primary node=me replication_port=4711"));
  EXPECT_EQ(self.status().code(), absl::StatusCode::kFailedPrecondition);
  const auto replica = Locate(Bulk("role=replica node=you replication_port=0"));
  EXPECT_EQ(replica.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(PrimaryLocatorTest, NobodyThereIsUnavailable) {
  {
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::address_v4::loopback(), 0});
    port_ = acceptor.local_endpoint().port();
  }
  EXPECT_EQ(Ask("me").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(PrimaryLocatorTest, CancelledItSaysNothing) {
  asio::ip::tcp::acceptor acceptor(context_, {asio::ip::address_v4::loopback(), 0});
  PrimaryLocator locator(context_);
  bool called = false;
  locator.Locate("127.0.0.1", acceptor.local_endpoint().port(), "me",
                 [&](absl::StatusOr<LocatedPrimary>) { called = true; });
  locator.Cancel();
  context_.run();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace tidemark::replication
