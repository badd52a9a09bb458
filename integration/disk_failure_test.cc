// A primary whose disk fails under it: a node in this process, on a disk that fails when it is told
// to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/settings/settings.h"
#include "integration/harness/eventually.h"
#include "integration/harness/ready_line.h"
#include "integration/harness/redis_client.h"
#include "server/node.h"
#include "wal/disk/simulated_disk.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class DiskFailureTest : public testing::Test {
 protected:
  void Start(const std::string& fsync) {
    settings_ = std::make_unique<Settings>(NodeRole::kPrimary);
    for (const auto& [id, text] :
         std::initializer_list<std::pair<Setting, std::string>>{{Setting::kPort, "0"},
                                                                {Setting::kReplicationPort, "0"},
                                                                {Setting::kShards, "2"},
                                                                {Setting::kDataDir, "/data"},
                                                                {Setting::kSegmentBytes, "64kb"},
                                                                {Setting::kFsync, fsync}}) {
      ASSERT_TRUE(settings_->Set(id, text).ok());
    }
    node_ = std::make_unique<server::Node>(*settings_, disk_);
    const absl::Status started = node_->Start();
    ASSERT_TRUE(started.ok()) << started;
    const absl::StatusOr<ReadyLine> ready = ParseReadyLine(node_->ReadyLine());
    ASSERT_TRUE(ready.ok()) << ready.status();
    port_ = ready->port;
  }
  void Stop() { node_.reset(); }

  // Writes until one is refused; false if none is.
  static bool WriteUntilRefused(RedisClient& client) {
    const std::string value(1000, 'v');
    return Eventually(kPatience, [&] {
      return client.Do({"SET", "filler", value}).text.starts_with("MISCONF");
    });
  }
  std::string Persistence() { return RedisClient(port_).Do({"INFO", "persistence"}).text; }

  wal::SimulatedDisk disk_{1};
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<server::Node> node_;
  int port_ = 0;
};

TEST_F(DiskFailureTest, AFullDiskRefusesWritesServesReadsAndMendsItself) {
  Start("interval");
  RedisClient client(port_);
  ASSERT_EQ(client.Do({"SET", "kept", "1"}), Reply::Status("OK"));
  ASSERT_EQ(client.Do({"SET", "brief", "1", "PX", "1"}), Reply::Status("OK"));
  disk_.set_capacity_bytes(0);
  ASSERT_TRUE(WriteUntilRefused(client));
  EXPECT_THAT(client.Do({"DEL", "kept"}).text,
              StartsWith("MISCONF Errors writing to the AOF file"));
  EXPECT_EQ(client.Do({"GET", "kept"}), Reply::String("1"));
  EXPECT_EQ(client.Do({"GET", "brief"}), Reply::Nil()) << "hidden, though it is not deleted";
  EXPECT_EQ(client.Do({"CONFIG", "SET", "maxclients", "100"}), Reply::Status("OK"));
  EXPECT_THAT(Persistence(), HasSubstr("wal_state:disk-full\r"));

  disk_.set_capacity_bytes(uint64_t{1} << 30);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return client.Do({"SET", "after", "1"}) == Reply::Status("OK");
  }));
  EXPECT_THAT(Persistence(), HasSubstr("wal_state:writing\r"));
  Stop();
  Start("interval");
  RedisClient again(port_);
  EXPECT_EQ(again.Do({"GET", "kept"}), Reply::String("1"));
  EXPECT_EQ(again.Do({"GET", "after"}), Reply::String("1"));
}

TEST_F(DiskFailureTest, AReplyThatAFullDiskHoldsComesWhenSpaceReturns) {
  Start("always");
  RedisClient reader(port_);
  disk_.set_capacity_bytes(0);
  std::thread writer([this] {
    RedisClient client(port_);
    const std::string value(1000, 'v');
    // Segments are allocated whole: it takes a few to need another.
    for (int i = 0; i < 200; ++i) {
      const Reply reply = client.Do({"SET", "filler", value});
      if (reply.text.starts_with("MISCONF")) break;
      EXPECT_EQ(reply, Reply::Status("OK"));
    }
  });
  EXPECT_TRUE(Eventually(
      kPatience, [&] { return Persistence().find("wal_held_clients:1\r") != std::string::npos; }));
  EXPECT_EQ(reader.Do({"GET", "nothing"}), Reply::Nil()) << "others are served";
  disk_.set_capacity_bytes(uint64_t{1} << 30);
  writer.join();
  EXPECT_THAT(Persistence(), HasSubstr("wal_held_clients:0\r"));
}

TEST_F(DiskFailureTest, AFailedFlushIsFinalAndNoReplyPretendsOtherwise) {
  Start("always");
  RedisClient client(port_);
  ASSERT_EQ(client.Do({"SET", "durable", "1"}), Reply::Status("OK"));
  disk_.FailSync(1);
  EXPECT_EQ(client.Do({"SET", "lost", "1"}).type, Reply::Type::kLost) << "cut without an answer";

  RedisClient other(port_);
  EXPECT_THAT(other.Do({"SET", "more", "1"}).text, StartsWith("MISCONF"));
  EXPECT_EQ(other.Do({"GET", "durable"}), Reply::String("1"));
  EXPECT_THAT(Persistence(), HasSubstr("wal_state:failed\r"));
  EXPECT_THAT(other.Do({"SHUTDOWN"}).text, HasSubstr("Errors trying to SHUTDOWN"));
  Stop();
  disk_.Crash();

  Start("always");
  RedisClient again(port_);
  EXPECT_EQ(again.Do({"GET", "durable"}), Reply::String("1"));
  EXPECT_EQ(again.Do({"SET", "after", "1"}), Reply::Status("OK"));
}

TEST_F(DiskFailureTest, ADiskThatIsReadOnlyStopsTheStart) {
  Start("always");
  Stop();
  disk_.set_read_only(true);
  server::Node node(*settings_, disk_);
  const absl::Status started = node.Start();
  EXPECT_FALSE(started.ok());
  EXPECT_FALSE(absl::IsInvalidArgument(started)) << "the settings are not to blame";
  EXPECT_THAT(std::string(started.message()), HasSubstr("/data"));
}

// A reply waits for its own shard's log, and for nobody's who wrote nothing.
TEST_F(DiskFailureTest, OnlyThoseWhoWroteWaitForASlowFlush) {
  Start("always");
  std::mutex mutex;
  mutex.lock();
  disk_.set_sync_hook([&](const std::string&) { const std::lock_guard held(mutex); });
  std::thread writer([this] {
    RedisClient client(port_);
    EXPECT_EQ(client.Do({"SET", "k", "v"}), Reply::Status("OK"));
  });
  EXPECT_TRUE(Eventually(
      kPatience, [&] { return Persistence().find("wal_held_clients:1\r") != std::string::npos; }));
  RedisClient reader(port_);
  EXPECT_EQ(reader.Do({"GET", "k"}), Reply::String("v"));
  EXPECT_THAT(reader.Do({"CLIENT", "LIST"}).text, HasSubstr("cmd=set"));
  mutex.unlock();
  writer.join();
  disk_.set_sync_hook(nullptr);
}

}  // namespace
}  // namespace tidemark::integration
