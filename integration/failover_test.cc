// FAILOVER: a primary hands its role over under load; no acknowledged write is lost, and writers
// hardly notice.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "integration/harness/convergence.h"
#include "integration/harness/node.h"
#include "integration/harness/redis_client.h"

namespace tidemark::integration {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

const Reply kOk = Reply::Status("OK");

std::string InfoField(Node& node, const std::string& name) {
  const std::string info = node.Connect().Do({"INFO", "everything"}).text;
  const size_t at = info.find("\n" + name + ":");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 2;
  return info.substr(begin, info.find('\r', begin) - begin);
}

// Clients that write, each to keys of its own, wherever the primary is: READONLY sends one to the
// next node. Each key is written once, so what must be there is every write that was acknowledged.
class RovingWriters {
 public:
  RovingWriters(std::vector<int> ports, int writers) : ports_(std::move(ports)) {
    for (int w = 0; w < writers; ++w) writers_.push_back(std::make_unique<Writer>());
    for (int w = 0; w < writers; ++w) {
      writers_[static_cast<size_t>(w)]->thread =
          std::thread([this, w] { Write(w, *writers_[static_cast<size_t>(w)]); });
    }
  }
  ~RovingWriters() { Stop(); }

  void Stop() {
    stop_ = true;
    for (auto& writer : writers_) {
      if (writer->thread.joinable()) writer->thread.join();
    }
  }
  int64_t acknowledged() const {
    int64_t sum = 0;
    for (const auto& writer : writers_) sum += writer->acknowledged.load();
    return sum;
  }
  // After Stop(): the longest that a writer was without an acknowledgement.
  int64_t LongestGapMs() const {
    int64_t longest = 0;
    for (const auto& writer : writers_) longest = std::max(longest, writer->longest_gap_ms);
    return longest;
  }
  // After Stop(): the acknowledged writes that `node` does not have; and what else was answered.
  int64_t Missing(Node& node) const {
    int64_t missing = 0;
    RedisClient client = node.Connect();
    for (size_t w = 0; w < writers_.size(); ++w) {
      const int64_t count = writers_[w]->acknowledged.load();
      for (int64_t i = 0; i < count; i += 500) {
        const int64_t end = std::min(count, i + 500);
        for (int64_t k = i; k < end; ++k) client.Queue({"EXISTS", Key(w, k)});
        for (const Reply& reply : client.Flush()) missing += reply.integer == 1 ? 0 : 1;
      }
    }
    return missing;
  }
  std::string Faults() const {
    std::string faults;
    for (const auto& writer : writers_) faults += writer->fault;
    return faults;
  }

 private:
  struct Writer {
    std::atomic<int64_t> acknowledged{0};  // The writes 0 to this, without it.
    int64_t longest_gap_ms = 0;
    std::string fault;
    std::thread thread;
  };
  static std::string Key(size_t writer, int64_t i) { return fmt::format("w{}:{}", writer, i); }

  void Write(int w, Writer& writer) {
    size_t at = 0;
    RedisClient client(ports_[at]);
    steady_clock::time_point last = steady_clock::now();
    while (!stop_) {
      const int64_t i = writer.acknowledged.load();
      const Reply reply = client.Do({"SET", Key(static_cast<size_t>(w), i), std::to_string(i)});
      if (reply == kOk) {
        const auto now = steady_clock::now();
        writer.longest_gap_ms = std::max<int64_t>(
            writer.longest_gap_ms, std::chrono::duration_cast<Duration>(now - last).count());
        last = now;
        writer.acknowledged.store(i + 1);
        continue;
      }
      if (reply.text.rfind("READONLY", 0) != 0) {
        writer.fault = fmt::format("writer {} was answered {}; ", w, reply.text);
        return;
      }
      at = (at + 1) % ports_.size();
      client = RedisClient(ports_[at]);
    }
  }

  const std::vector<int> ports_;
  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<Writer>> writers_;
};

class FailoverTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(primary_.AwaitReady());
    first_ =
        std::make_unique<Node>(Node::Replica(primary_, {"--shards=2", "--replication_port=0"}));
    second_ =
        std::make_unique<Node>(Node::Replica(primary_, {"--shards=2", "--replication_port=0"}));
    ASSERT_TRUE(first_->AwaitReady() && second_->AwaitReady());
    ASSERT_TRUE(Eventually(kPatience, [&] { return InfoField(primary_, "slave1") != ""; }));
    ASSERT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
  }
  static std::vector<std::string> FailoverTo(const Node& target) {
    return {"FAILOVER", "TO", "127.0.0.1", std::to_string(target.port())};
  }
  // Waits until `node` says that no failover is under way.
  static bool AwaitOver(Node& node) {
    return Eventually(kPatience,
                      [&] { return InfoField(node, "master_failover_state") == "no-failover"; });
  }
  static bool AwaitOnline(Node& primary, size_t replicas) {
    return Eventually(kPatience, [&] {
      for (size_t i = 0; i < replicas; ++i) {
        if (InfoField(primary, fmt::format("slave{}", i)).find("state=online") ==
            std::string::npos) {
          return false;
        }
      }
      return true;
    });
  }

  Node primary_ = Node::Primary({"--shards=2"});
  std::unique_ptr<Node> first_, second_;
};

TEST_F(FailoverTest, UnderLoadNoAcknowledgedWriteIsLostAndTheOthersFollow) {
  RovingWriters writers({primary_.port(), first_->port(), second_->port()}, 4);
  std::vector<Node*> in_turn = {first_.get(), second_.get(), &primary_, first_.get()};
  Node* now = &primary_;
  for (Node* next : in_turn) {
    const int64_t before = writers.acknowledged();
    ASSERT_TRUE(Eventually(kPatience, [&] { return writers.acknowledged() > before + 2'000; }));
    ASSERT_TRUE(AwaitOnline(*now, 2));
    ASSERT_EQ(now->Connect().Do(FailoverTo(*next)), kOk);
    ASSERT_TRUE(AwaitOver(*now));
    ASSERT_EQ(now->Connect().Do({"ROLE"}).elements[0].text, "slave") << now->process().Errors();
    ASSERT_EQ(next->Connect().Do({"ROLE"}).elements[0].text, "master");
    now = next;
  }
  const int64_t before = writers.acknowledged();
  ASSERT_TRUE(Eventually(kPatience, [&] { return writers.acknowledged() > before + 2'000; }));
  writers.Stop();
  EXPECT_EQ(writers.Faults(), "");
  EXPECT_EQ(writers.Missing(*now), 0) << "of " << writers.acknowledged();
  EXPECT_TRUE(AwaitConvergence(*first_, {&primary_, second_.get()}));
  for (Node* node : {&primary_, first_.get(), second_.get()}) {
    EXPECT_THAT(InfoField(*node, "sync_full"), testing::AnyOf("0", "")) << node->process().Errors();
  }
  std::printf("%lld writes acknowledged over 4 failovers; the longest gap of a writer: %lld ms\n",
              static_cast<long long>(writers.acknowledged()),
              static_cast<long long>(writers.LongestGapMs()));
}

TEST_F(FailoverTest, ATargetThatDoesNotCatchUpIsGivenUpAndWritesGoOn) {
  first_->process().Signal(SIGSTOP);
  RedisClient client = primary_.Connect();
  ASSERT_EQ(client.Do({"SET", "a", "1"}), kOk);
  std::vector<std::string> command = FailoverTo(*first_);
  command.insert(command.end(), {"TIMEOUT", "300"});
  ASSERT_EQ(client.Do(command), kOk);
  EXPECT_EQ(client.Do({"FAILOVER"}), Reply::Error("ERR FAILOVER already in progress."));
  EXPECT_EQ(client.Do({"REPLICAOF", "NO", "ONE"}),
            Reply::Error("ERR REPLICAOF not allowed while failing over."));
  // It is held back, and goes on when the failover is given up.
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "2"}), kOk);
  EXPECT_TRUE(AwaitOver(primary_));
  EXPECT_EQ(client.Do({"ROLE"}).elements[0].text, "master");
  EXPECT_THAT(primary_.process().Errors(), HasSubstr("the failover is given up"));
  first_->process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
}

TEST_F(FailoverTest, AbortEndsIt) {
  first_->process().Signal(SIGSTOP);
  RedisClient client = primary_.Connect();
  ASSERT_EQ(client.Do({"SET", "a", "1"}), kOk);
  std::vector<std::string> command = FailoverTo(*first_);
  command.insert(command.end(), {"TIMEOUT", "60000"});
  ASSERT_EQ(client.Do(command), kOk);
  EXPECT_EQ(InfoField(primary_, "master_failover_state"), "waiting-for-sync");
  EXPECT_EQ(client.Do({"FAILOVER", "ABORT"}), kOk);
  EXPECT_TRUE(AwaitOver(primary_));
  EXPECT_EQ(client.Do({"SET", "a", "2"}), kOk);
  EXPECT_EQ(client.Do({"FAILOVER", "ABORT"}), Reply::Error("ERR No failover in progress."));
  first_->process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
}

TEST_F(FailoverTest, ATargetWithoutAReplicationPortRefuses) {
  Node without = Node::Replica(primary_, {"--shards=2"});
  ASSERT_TRUE(without.AwaitReady());
  ASSERT_TRUE(AwaitOnline(primary_, 3));
  ASSERT_EQ(primary_.Connect().Do(FailoverTo(without)), kOk);
  EXPECT_TRUE(AwaitOver(primary_));
  EXPECT_EQ(primary_.Connect().Do({"ROLE"}).elements[0].text, "master");
  EXPECT_THAT(primary_.process().Errors(), HasSubstr("the target refused"));
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "1"}), kOk);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), &without}));
}

TEST_F(FailoverTest, ErrorsAreRedis) {
  const auto error = [&](Node& node, std::vector<std::string> words) {
    return node.Connect().Do(words).text;
  };
  EXPECT_EQ(error(*first_, {"FAILOVER"}), "ERR FAILOVER is not valid when server is a replica.");
  EXPECT_EQ(error(primary_, {"FAILOVER", "TIMEOUT", "0"}),
            "ERR FAILOVER timeout must be greater than 0");
  EXPECT_EQ(error(primary_, {"FAILOVER", "TO", "h"}), "ERR syntax error");
  EXPECT_EQ(error(primary_, {"FAILOVER", "FORCE"}),
            "ERR FAILOVER with force option requires both a timeout and target host and IP.");
  EXPECT_EQ(error(primary_, {"FAILOVER", "TO", "127.0.0.1", "1"}),
            "ERR FAILOVER target HOST and PORT is not a replica.");
  Node alone = Node::Primary({"--shards=1"});
  ASSERT_TRUE(alone.AwaitReady());
  EXPECT_EQ(error(alone, {"FAILOVER"}), "ERR FAILOVER requires connected replicas.");
}

}  // namespace
}  // namespace tidemark::integration
