// The export thread over real sockets: consumers that come and go, stall, lie, or are dialled.

#include "wal/export/export_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "base/eventually.h"
#include "base/format/record.h"
#include "fmt/format.h"
#include "wal/export/fake_export_source.h"
#include "wal/export/test_consumer.h"

namespace tidemark::wal {
namespace {

using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr HistoryId kHistory(7);

// Looks until it holds, for a long time at most; whether it does.
class ExportServerTest : public testing::Test {
 protected:
  ExportServerTest() : source_(kHistory, 3) {
    options_.hub.session.tokens.current = "secret";
    options_.hub.session.heartbeat_interval_ms = 20;
    options_.hub.session.max_queue_bytes = 256 << 10;
    options_.save_interval_ms = 1;
    options_.backoff = {.first_ms = 2, .longest_ms = 10};
  }
  ~ExportServerTest() override {
    if (server_ != nullptr) server_->Stop();
  }

  void Start(const std::string& consumers = "") {
    server_ = std::make_unique<ExportServer>(options_, &source_, [this](const std::string& saved) {
      std::lock_guard lock(mutex_);
      saved_ = saved;
      return absl::OkStatus();
    });
    const absl::Status started = server_->Start(consumers);
    ASSERT_TRUE(started.ok()) << started;
  }
  std::string Saved() {
    std::lock_guard lock(mutex_);
    return saved_;
  }
  void Write(int shard, uint32_t records, size_t value_bytes = 10) {
    source_.Append(shard, records, value_bytes);
    source_.Sync();
    server_->OnDurableMoved();
  }
  TestConsumer::Options Named(const std::string& name) {
    return {.name = name, .token = "secret", .port = server_->port()};
  }

  FakeExportSource source_;
  ExportServer::Options options_;
  std::unique_ptr<ExportServer> server_;
  std::mutex mutex_;
  std::string saved_;  // Under the mutex.
};

TEST_F(ExportServerTest, EveryChangeComesOnceAndInOrderThroughAHundredDisconnects) {
  Start();
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    std::mt19937 r(seed + 1);
    // Not faster than they are read for ever: each keeps its frames in memory.
    for (int i = 0; i < 20'000 && !done.load(); ++i) {
      Write(static_cast<int>(r() % 3), 1 + r() % 5);
      if (r() % 64 == 0) std::this_thread::yield();
    }
  });
  TestConsumer consumer(Named("a"));
  consumer.set_start({.from = ExportStart::From::kBeginning, .position = {}});
  // TestConsumer fails on a change that it has seen, and on a hole.
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(consumer.Connect());
    const size_t until = consumer.seen() + random() % 200;
    while (consumer.seen() < until && consumer.cursor() != source_.Durable()) {
      ASSERT_TRUE(consumer.ReadSome(1 + random() % 5'000));
    }
    // Sometimes the node hears of it, sometimes not; what is stored is what counts.
    if (random() % 2 == 0) consumer.Acknowledge();
    consumer.Disconnect();
  }
  done = true;
  writer.join();
  ASSERT_TRUE(consumer.Connect());
  const ExportPosition durable = source_.Durable();
  while (consumer.cursor() != durable) ASSERT_TRUE(consumer.ReadSome(5'000));
  uint64_t records = 0;
  for (const Sequence sequence : durable.sequences) records += sequence.value();
  EXPECT_EQ(consumer.seen(), records);
}

TEST_F(ExportServerTest, AConsumerThatStallsCostsItsQueueAndNobodyElse) {
  Start();
  TestConsumer stalled(Named("stalled"));
  ASSERT_TRUE(stalled.Connect());
  TestConsumer well(Named("well"));
  ASSERT_TRUE(well.Connect());
  while (!well.has_cursor()) ASSERT_TRUE(well.ReadSome(5'000));
  // Far more than the kernel takes for a socket that nobody reads.
  for (int i = 0; i < 400; ++i) Write(i % 3, 1, 100'000);
  while (well.cursor() != source_.Durable()) ASSERT_TRUE(well.ReadSome(500'000));
  ASSERT_TRUE(Eventually([&] { return server_->status().consumers.size() == 2; }));
  for (const ConsumerStatus& status : server_->status().consumers) {
    EXPECT_LE(status.queue_bytes, options_.hub.session.max_queue_bytes + 200'000) << status.name;
  }
  EXPECT_EQ(well.seen(), 400u);
}

TEST_F(ExportServerTest, AStalledConsumerIsCutAndTheReasonCounted) {
  options_.hub.session.write_timeout_ms = 50;
  Start();
  TestConsumer stalled(Named("stalled"));
  ASSERT_TRUE(stalled.Connect());
  // What the kernel takes is not in our hands: write until the cut.
  ASSERT_TRUE(Eventually([&] {
    Write(0, 1, 1'000'000);
    const ExportStatus status = server_->status();
    return !status.consumers.empty() && status.consumers[0].counters.write_failures > 0;
  }));
}

TEST_F(ExportServerTest, SilentAndLyingPeersDisturbNobody) {
  options_.hub.session.hello_timeout_ms = 30;
  options_.hub.max_waiting = 8;
  Start();
  asio::io_context context;
  const asio::ip::tcp::endpoint port(asio::ip::address_v4::loopback(), server_->port());
  std::vector<asio::ip::tcp::socket> silent;
  for (int i = 0; i < 8; ++i) {
    silent.emplace_back(context).connect(port);
    if (i % 2 == 0) asio::write(silent.back(), asio::buffer(std::string("TDMX\x01\x01", 6)));
    if (i == 7) asio::write(silent.back(), asio::buffer(std::string(5'000, 'x')));
  }
  // Each is told or cut, and none needs to do anything for that.
  for (asio::ip::tcp::socket& socket : silent) {
    std::string rest(10'000, '\0');
    asio::error_code error;
    asio::read(socket, asio::buffer(rest), error);
    EXPECT_TRUE(error);
  }
  TestConsumer wrong({.name = "a", .token = "guess", .port = server_->port()});
  ASSERT_TRUE(wrong.Connect());
  while (wrong.ReadSome(1'000)) {
  }
  EXPECT_EQ(wrong.refusal(), wire::Refuse::TOKEN);
  ASSERT_TRUE(Eventually([&] { return server_->status().rejected_token == 1; }));

  TestConsumer well(Named("a"));
  ASSERT_TRUE(well.Connect());
  // It starts with what comes once it was accepted.
  while (!well.has_cursor()) ASSERT_TRUE(well.ReadSome(1'000));
  Write(0, 1);
  while (well.seen() == 0) ASSERT_TRUE(well.ReadSome(1'000));
}

TEST_F(ExportServerTest, ListeningNeedsAToken) {
  options_.hub.session.tokens.current = "";
  ExportServer server(options_, &source_, [](const std::string&) { return absl::OkStatus(); });
  EXPECT_EQ(server.Start("").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ExportServerTest, TokensRotateWhileItRuns) {
  Start();
  server_->SetTokens({.current = "new", .previous = "secret"});
  TestConsumer old(Named("old"));
  ASSERT_TRUE(old.Connect());
  while (!old.has_cursor()) ASSERT_TRUE(old.ReadSome(1'000));
  server_->SetTokens({.current = "new", .previous = ""});
  TestConsumer late(Named("late"));
  ASSERT_TRUE(late.Connect());
  while (late.ReadSome(1'000)) {
  }
  EXPECT_EQ(late.refusal(), wire::Refuse::TOKEN);
}

TEST_F(ExportServerTest, StoppingSendsWhatIsDurableAndTellsWhatWasNot) {
  Start();
  TestConsumer well(Named("well"));
  ASSERT_TRUE(well.Connect());
  while (!well.has_cursor()) ASSERT_TRUE(well.ReadSome(5'000));
  for (int i = 0; i < 50; ++i) Write(i % 3, 4);
  std::thread reader([&] {
    while (well.ReadSome(5'000)) {
    }
  });
  EXPECT_THAT(server_->Stop(), IsEmpty());
  reader.join();
  EXPECT_EQ(well.seen(), 200u);
  EXPECT_EQ(well.goodbye(), wire::Goodbye::STOPPING);
}

TEST_F(ExportServerTest, AStopDoesNotWaitForAConsumerThatDoesNotRead) {
  options_.stop_timeout_ms = 100;
  Start();
  TestConsumer stalled(Named("stalled"));
  ASSERT_TRUE(stalled.Connect());
  while (!stalled.has_cursor()) ASSERT_TRUE(stalled.ReadSome(5'000));
  for (int i = 0; i < 200; ++i) Write(0, 1, 200'000);
  const std::vector<UnsentSpan> unsent = server_->Stop();
  ASSERT_THAT(unsent, SizeIs(1));
  EXPECT_EQ(unsent[0].consumer, "stalled");
  EXPECT_EQ(unsent[0].range.last, Sequence(200));
}

TEST_F(ExportServerTest, PlacesAreSavedWhileItRunsAndAtTheStop) {
  Start();
  TestConsumer consumer(Named("a"));
  ASSERT_TRUE(consumer.Connect());
  while (!consumer.has_cursor()) ASSERT_TRUE(consumer.ReadSome(5'000));
  Write(1, 6);
  while (consumer.seen() < 6) ASSERT_TRUE(consumer.ReadSome(5'000));
  consumer.Acknowledge();
  ASSERT_TRUE(Eventually([&] {
    const ExportStatus status = server_->status();
    return !status.consumers.empty() && status.consumers[0].acked.sequences[1] == Sequence(6);
  }));
  ASSERT_TRUE(Eventually([&] { return !Saved().empty(); }));
  server_->Stop();
  Start(Saved());
  ASSERT_THAT(server_->status().consumers, SizeIs(1));
  EXPECT_EQ(server_->status().consumers[0].acked.sequences[1], Sequence(6));
}

TEST_F(ExportServerTest, ANewPlaceIsSavedAtOnce) {
  options_.save_interval_ms = 3'600'000;
  Start();
  TestConsumer consumer(Named("a"));
  ASSERT_TRUE(consumer.Connect());
  while (!consumer.has_cursor()) ASSERT_TRUE(consumer.ReadSome(5'000));
  EXPECT_TRUE(Eventually([&] { return Saved().find('a') != std::string::npos; }));
}

TEST_F(ExportServerTest, TheLagOfOneThatIsAwayIsSeenToGrow) {
  Start();
  {
    TestConsumer consumer(Named("a"));
    ASSERT_TRUE(consumer.Connect());
    while (!consumer.has_cursor()) ASSERT_TRUE(consumer.ReadSome(5'000));
  }
  const auto shows = [&](uint64_t lag_records) {
    const ExportStatus status = server_->status();
    return status.consumers.size() == 1 &&
           status.consumers[0].state == ConsumerStatus::State::kAway &&
           status.consumers[0].lag_records == lag_records;
  };
  ASSERT_TRUE(Eventually([&] { return shows(0); }));
  Write(1, 6);
  EXPECT_TRUE(Eventually([&] { return shows(6); }));
}

TEST_F(ExportServerTest, InConnectModeTheNodeDialsAgainAndAgain) {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context,
                                   asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  options_.mode = ExportServer::Options::Mode::kConnect;
  options_.port = acceptor.local_endpoint().port();
  Start();
  TestConsumer consumer(Named("a"));
  consumer.set_start({.from = ExportStart::From::kBeginning, .position = {}});
  for (int i = 1; i <= 5; ++i) {
    Write(0, 2);
    consumer.Take(acceptor.accept());
    while (consumer.seen() < static_cast<size_t>(2 * i)) {
      ASSERT_TRUE(consumer.ReadSome(1'000));
    }
    consumer.Disconnect();
  }
  acceptor.close();
  ASSERT_TRUE(Eventually([&] { return server_->status().connect_failures > 2; }));
}

}  // namespace
}  // namespace tidemark::wal
