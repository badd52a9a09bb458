// A node whose disk or whose replica cannot keep up: writes slow down, wait, and are refused in the
// order that docs/backpressure.md gives; everything else goes on; and it mends itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using testing::Not;

// Writes as fast as it is let, and counts what it is answered.
class Writer {
 public:
  Writer(int port, size_t value_bytes) {
    thread_ = std::thread([this, port, value_bytes] {
      RedisClient client(port);
      const std::string value(value_bytes, 'v');
      for (int i = 0; !stop_.load(); ++i) {
        for (int k = 0; k < 16; ++k) client.Queue({"SET", "k" + std::to_string(k), value});
        for (const Reply& reply : client.Flush()) {
          if (reply == Reply::Status("OK")) {
            taken_.fetch_add(1);
          } else if (reply.text.starts_with("BUSYTIDE ")) {
            refused_.fetch_add(1);
          } else {
            wrong_.store(true);
            stop_.store(true);
          }
        }
      }
    });
  }
  ~Writer() { Stop(); }
  // False if it was answered anything else than it should be.
  bool Stop() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
    return !wrong_.load();
  }
  int64_t taken() const { return taken_.load(); }
  int64_t refused() const { return refused_.load(); }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<bool> wrong_{false};
  std::atomic<int64_t> taken_{0};
  std::atomic<int64_t> refused_{0};
  std::thread thread_;
};

TEST(PressureTest, ADiskThatStandsStillDelaysThenRefusesWritesAndMendsItself) {
  const Scratch scratch;
  const std::filesystem::path faults = scratch.path() / "faults";
  std::filesystem::create_directory(faults);
  Node primary = Node::CrashingPrimary(
      {"--shards=2", "--fsync=interval", "--write_stall_ms=1500", scratch.data_dir()},
      {"DISK_FAULTS=" + faults.string()});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  ASSERT_EQ(client.Do({"SET", "kept", "1"}), Reply::Status("OK"));
  ASSERT_EQ(InfoField(client, "pressure_state"), "normal");

  std::ofstream(faults / "stalled").close();
  Writer writer(primary.port(), 16 << 10);
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return InfoField(client, "pressure_state") == "suspended" &&
           InfoField(client, "pressure_cause") == "log_bytes";
  }));
  EXPECT_EQ(client.Do({"GET", "kept"}), Reply::String("1")) << "reads go on";
  ASSERT_TRUE(Eventually(kPatience, [&] { return InfoField(client, "pressure_stalled") == "1"; }));
  EXPECT_THAT(client.Do({"SET", "more", "1"}).text,
              HasSubstr("BUSYTIDE writes are refused: log_bytes is suspended"));
  EXPECT_EQ(client.Do({"GET", "kept"}), Reply::String("1"));
  EXPECT_EQ(client.Do({"CONFIG", "SET", "maxclients", "100"}), Reply::Status("OK"));
  EXPECT_THAT(client.Do({"TIDE", "METRICS"}).text,
              HasSubstr("tidemark_pressure_input_state{input=\"log_bytes\"} 2"));
  ASSERT_TRUE(Eventually(kPatience, [&] { return writer.refused() > 0; }));

  std::filesystem::remove(faults / "stalled");
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return client.Do({"SET", "more", "1"}) == Reply::Status("OK");
  }));
  const int64_t taken = writer.taken();
  EXPECT_TRUE(Eventually(kPatience, [&] { return writer.taken() > taken; }));
  EXPECT_TRUE(writer.Stop());
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return InfoField(client, "pressure_state") == "normal"; }));
  EXPECT_THAT(client.Do({"INFO", "tidemark"}).text, Not(HasSubstr("writes_refused_busy:0\r")));
  EXPECT_THAT(primary.process().Errors(), HasSubstr("pressure: log_bytes is"));
}

TEST(PressureTest, ARequiredReplicaThatLagsSlowsWritesUntilItIsBack) {
  constexpr int64_t kLimit = 20'000;
  Node primary =
      Node::Primary({"--shards=2", "--throttle_on_replica_lag_records=" + std::to_string(kLimit)});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = primary.Connect();
  ASSERT_EQ(client.Do({"MSET", "kept", "1", "gone", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));

  replica.process().Signal(SIGSTOP);
  Writer writer(primary.port(), 10);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return InfoField(client, "pressure_state") == "suspended" &&
           InfoField(client, "pressure_cause") == "replica_lag";
  }));
  EXPECT_EQ(client.Do({"GET", "kept"}), Reply::String("1")) << "reads go on";
  EXPECT_EQ(client.Do({"DEL", "gone"}), Reply::Integer(1)) << "and deletes";
  replica.process().Signal(SIGCONT);
  const int64_t taken = writer.taken();
  EXPECT_TRUE(Eventually(kPatience, [&] { return writer.taken() > taken + kLimit; }))
      << "writes wait for ever";
  EXPECT_TRUE(writer.Stop());
  EXPECT_EQ(writer.refused(), 0) << "a replica delays writes, and refuses none";
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return InfoField(client, "pressure_state") == "normal"; }));
}

}  // namespace
}  // namespace tidemark::integration
