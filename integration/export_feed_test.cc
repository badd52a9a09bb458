// Who follows the change feed sees every change once and in order, and none that the node takes
// back, however often he or the node is killed: tideexport with its files, killed and resumed at
// random while several connections write all kinds of commands and the node dies now and then.
//
// FEED_KILLS=1000 in the environment kills the consumer more often. The seed is in the trace.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/sanitizers.h"
#include "integration/harness/feed_log.h"
#include "integration/harness/free_port.h"
#include "integration/harness/node.h"
#include "integration/harness/owned_load.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

constexpr int kShards = 2;
constexpr int kConsumerKills = Scaled(100, 30);
constexpr int kNodeLives = 6;
// So many commands more may be sent for each life of the consumer, and it is killed when its file
// has grown by fewer bytes than they come to.
constexpr int64_t kCommandsPerLife = 300;
constexpr uint64_t kMostGrowthBytes = 12'000;

// Holds the load back, so that it does not run away from the consumer.
class Pace {
 public:
  void Allow(int64_t more) {
    const std::lock_guard lock(mutex_);
    allowed_ += more;
    changed_.notify_all();
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Await(int64_t replied) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ || replied < allowed_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t allowed_ = kCommandsPerLife;  // Guarded by mutex_, as is what follows.
  bool open_ = false;
};

class ExportFeedTest : public testing::TestWithParam<std::string> {
 protected:
  ExportFeedTest()
      : load_({.shards = kShards, .keeps_replied = GetParam() == "always", .seed = 4}),
        node_(Node::Primary(
            {scratch_.data_dir(), "--fsync=" + GetParam(), "--fsync_interval_ms=10",
             "--segment_bytes=64kb", fmt::format("--shards={}", kShards), "--export_mode=listen",
             fmt::format("--export_addr=127.0.0.1:{}", port_), "--export_token=sesame"})) {}

  std::string Path(const char* name) const { return (scratch_.path() / name).string(); }
  uint64_t OutputBytes() const {
    std::error_code none;
    const uintmax_t bytes = std::filesystem::file_size(Path("changes"), none);
    return none ? 0 : bytes;
  }
  void StartConsumer(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {Runfile("tools/tideexport/tideexport"),
                                        fmt::format("127.0.0.1:{}", port_),
                                        "--token=sesame",
                                        "--from-beginning",
                                        "--resume=" + Path("position"),
                                        "--output=" + Path("changes")};
    command.insert(command.end(), more.begin(), more.end());
    consumer_.emplace(command);
  }
  // Kills it once it has stored more.
  void KillConsumerAfter(uint64_t growth_bytes) {
    const uint64_t before = OutputBytes();
    ASSERT_TRUE(Eventually(kPatience, [&] { return OutputBytes() >= before + growth_bytes; }))
        << "the feed stands still at " << OutputBytes() << " bytes";
    consumer_->Signal(SIGKILL);
    ASSERT_EQ(consumer_->WaitExit(kPatience), KilledBy(SIGKILL)) << "it gave up";
  }

  // One life of the node, under load, and `kills` of the consumer, who is there at its end.
  void Live(int kills, bool clean_end, std::mt19937_64& random) {
    Pace pace;
    std::string fault;
    std::thread writers([&] {
      fault = load_.Run(node_.port(), int64_t{1} << 40, [&](int64_t n) { pace.Await(n); });
    });
    for (int kill = 0; kill < kills && !HasFatalFailure(); ++kill) {
      SCOPED_TRACE(fmt::format("kill {} of {}", kill, kills));
      KillConsumerAfter(random() % kMostGrowthBytes);
      StartConsumer();
      pace.Allow(kCommandsPerLife);
    }
    if (!HasFatalFailure() && clean_end) {
      node_.Stop();
    } else {
      node_.Kill();
    }
    pace.Open();
    writers.join();
    ASSERT_EQ(fault, "");
    node_.Restart();
    ASSERT_TRUE(node_.AwaitReady());
    ASSERT_EQ(load_.Check(node_.port()), "");
  }

  // What remains to be told; then nothing changes any more.
  void CatchUp() {
    ASSERT_EQ(load_.Run(node_.port(), 500), "");
    RedisClient client = node_.Connect();
    // Looking for a key whose time is up deletes it: those that live for milliseconds are gone, and
    // so is the change that says so, when none is found.
    ASSERT_TRUE(Eventually(kPatience, [&] {
      for (int owner = 0; owner < 4; ++owner) {
        client.Queue({"GET", fmt::format("owner{}:brief", owner)});
      }
      return client.Flush() == std::vector<Reply>(4, Reply::Nil());
    }));
    ASSERT_TRUE(Eventually(kPatience, [&] {
      const Reply marks = client.Do({"TIDE", "WATERMARKS"});
      return *marks.Find("durable") == *marks.Find("assigned");
    }));
    KillConsumerAfter(0);
    StartConsumer({"--until-current"});
    ASSERT_EQ(consumer_->WaitExit(kPatience), ExitedWith(0)) << consumer_->Errors();
  }

  std::map<std::string, FeedLog::Value> ContentsOfNode() {
    RedisClient client = node_.Connect();
    std::map<std::string, FeedLog::Value> contents;
    for (const Reply& key : client.Do({"KEYS", "*"}).elements) {
      const int64_t expires = client.Do({"PEXPIRETIME", key.text}).integer;
      contents[key.text] = {.bytes = client.Do({"GET", key.text}).text,
                            .expire_at_ms = expires < 0 ? 0 : expires};
    }
    return contents;
  }

  const Scratch scratch_;
  const int port_ = FreePort();
  OwnedLoad load_;
  Node node_;
  std::optional<Process> consumer_;
};

TEST_P(ExportFeedTest, EveryChangeComesOnceThroughKillsOfBothEnds) {
  constexpr uint64_t kSeed = 11;
  SCOPED_TRACE(fmt::format("seed {}", kSeed));
  std::mt19937_64 random(kSeed);
  const char* wanted = std::getenv("FEED_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : kConsumerKills;
  ASSERT_TRUE(node_.AwaitReady());
  StartConsumer();
  for (int life = 0; life < kNodeLives; ++life) {
    SCOPED_TRACE(fmt::format("life {} of the node", life));
    // One of its ends is a clean one: the feed then comes together with a goodbye.
    ASSERT_NO_FATAL_FAILURE(Live(kills / kNodeLives + 1, life == 2, random));
  }
  ASSERT_NO_FATAL_FAILURE(CatchUp());

  FeedLog feed(kShards);
  std::ifstream changes(Path("changes"));
  for (std::string line; std::getline(changes, line);) ASSERT_EQ(feed.Take(line), "");
  EXPECT_GT(feed.records(), kills * kCommandsPerLife / 2);
  EXPECT_EQ(feed.histories(), kNodeLives) << "one for each kill, and the first";

  // All that it says is so, and nothing else is.
  const Reply marks = node_.Connect().Do({"TIDE", "WATERMARKS"});
  for (size_t shard = 0; shard < kShards; ++shard) {
    EXPECT_EQ(marks.Find("durable")->elements[shard],
              Reply::Integer(static_cast<int64_t>(feed.positions()[shard])));
  }
  EXPECT_EQ(ContentsOfNode(), feed.Contents());
  node_.Stop();
  Process dump({Runfile("tools/tidectl/tidectl"), "log", "dump", scratch_.data().string()});
  ASSERT_EQ(dump.WaitExit(kPatience), ExitedWith(0)) << dump.Errors();
  std::istringstream dumped(dump.Output());
  int64_t compared = 0;
  for (std::string line; std::getline(dumped, line); ++compared) ASSERT_EQ(feed.Compare(line), "");
  EXPECT_GT(compared, 0);
}

INSTANTIATE_TEST_SUITE_P(All, ExportFeedTest, testing::Values("always", "interval"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tidemark::integration
