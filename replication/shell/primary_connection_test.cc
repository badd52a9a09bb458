#include "replication/shell/primary_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/write.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "base/link/link_loop.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;
using State = ReplicaLink::State;

// A replica that holds nothing.
class NoData final : public FrameReceiver {
 public:
  std::optional<ReplicaPosition> Position() override { return ReplicaPosition(); }
  ReplicaPosition Held() override { return {}; }
  bool HoldsKeys() override { return false; }
  void OnPlan(const StreamPlan&) override {}
  absl::Status OnFrame(FrameRef, Sequence) override { return absl::OkStatus(); }
  void OnSnapshotEnd() override {}
  void OnLinkLost() override {}
};

class PrimaryConnectionTest : public testing::Test {
 protected:
  // To whoever listens on `port`, by hand: what the link wants is done after each event.
  void ConnectTo(uint16_t port, bool locate = false) {
    connection_.emplace(context_,
                        PrimaryConnection::Options{
                            .host = "127.0.0.1", .port = port, .locate = locate, .node_id = "me"},
                        &link_, [this] {
                          ++events_;
                          Serve();
                        });
    link_.Tick(LinkLoop::NowMs());
    Serve();
  }
  void Serve() { connection_->Serve(/*wants_input=*/true, LinkLoop::NowMs()); }
  template <typename Done>
  void RunUntil(Done done) {
    context_.restart();
    while (!done() && context_.run_one_for(std::chrono::seconds(30)) > 0) {
    }
    EXPECT_TRUE(done());
  }
  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  static ReplicaLink::Options OneAttempt() {
    ReplicaLink::Options options;
    options.node_id = "me";
    options.backoff = {.first_ms = 60'000, .longest_ms = 60'000};
    return options;
  }
  // The primary's end, once it has read something.
  void AcceptAndRead() {
    acceptor_.async_accept(peer_, [this](const asio::error_code& error) {
      ASSERT_FALSE(error) << error.message();
      peer_.async_read_some(asio::buffer(read_), [this](const asio::error_code&, size_t bytes) {
        read_.resize(bytes);
        heard_ = true;
      });
    });
  }

  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  asio::ip::tcp::socket peer_{context_};
  std::string read_ = std::string(4096, '\0');
  bool heard_ = false;
  int events_ = 0;
  NoData data_;
  ReplicaLink link_{OneAttempt(), &data_, LinkLoop::NowMs()};
  std::optional<PrimaryConnection> connection_;
};

TEST_F(PrimaryConnectionTest, SaysHelloAndHearsOfTheEnd) {
  AcceptAndRead();
  ConnectTo(port());
  EXPECT_EQ(link_.state(), State::kConnecting);
  RunUntil([&] { return heard_; });
  EXPECT_EQ(link_.state(), State::kHandshake);
  EXPECT_THAT(read_, HasSubstr("me")) << "the link's hello, with the node's name";
  peer_.close();
  RunUntil([&] { return link_.state() == State::kBackoff; });
  EXPECT_FALSE(link_.last_failure().ok());
}

TEST_F(PrimaryConnectionTest, CarriesWhatThePrimarySays) {
  AcceptAndRead();
  ConnectTo(port());
  RunUntil([&] { return heard_; });
  asio::write(peer_, asio::buffer(std::string(64, 'x')));
  RunUntil([&] { return !link_.last_failure().ok(); });
  EXPECT_NE(link_.state(), State::kHandshake) << "that was no answer";
}

TEST_F(PrimaryConnectionTest, NobodyThereIsSaidWithTheAddress) {
  const uint16_t nobody = port();
  acceptor_.close();
  ConnectTo(nobody);
  RunUntil([&] { return link_.state() == State::kBackoff; });
  EXPECT_THAT(std::string(link_.last_failure().message()),
              HasSubstr("cannot connect to 127.0.0.1 port " + std::to_string(nobody)));
}

TEST_F(PrimaryConnectionTest, AnAttemptThatTheLinkGaveUpIsForgotten) {
  ConnectTo(port());
  link_.Stop(LinkLoop::NowMs());
  Serve();
  context_.restart();
  context_.run();
  EXPECT_EQ(events_, 0) << "what was under way came to nothing";
}

TEST_F(PrimaryConnectionTest, AsksAClientsPortForTheOther) {
  asio::ip::tcp::acceptor clients(context_, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket asked(context_);
  clients.async_accept(asked, [&](const asio::error_code& error) {
    ASSERT_FALSE(error) << error.message();
    const std::string answer = "role=primary node=you replication_port=" + std::to_string(port());
    asio::write(asked,
                asio::buffer("$" + std::to_string(answer.size()) + "\r\n" + answer + "\r\n"));
  });
  AcceptAndRead();
  ConnectTo(clients.local_endpoint().port(), /*locate=*/true);
  RunUntil([&] { return heard_; });
  EXPECT_EQ(link_.state(), State::kHandshake);
}

}  // namespace
}  // namespace tidemark::replication
