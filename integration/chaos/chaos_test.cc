// A primary and two replicas under a bad network, with processes that stand still and die, while
// clients write and read: nothing that a policy promises is broken, and when it is quiet all are
// equal.
//
//   CHAOS_SECONDS=1200   goes on for so long, in all (default: 20)
//   CHAOS_SEED=7         makes other choices; how long each lasts is the machine's
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "integration/chaos/chaos_clients.h"
#include "integration/chaos/chaos_proxy.h"
#include "integration/harness/convergence.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

using Harm = PipeFaults::Harm;
using Promise = ClientHistory::Promise;

// What a reply means. A policy whose replies wait for replicas is one more row, and its primary's
// end a promotion.
struct Policy {
  std::string name;
  std::string flag;
  Promise promise;
};
void PrintTo(const Policy& policy, std::ostream* out) { *out << policy.name; }

const std::vector<Policy> kPolicies = {
    {"memory", "--fsync=interval", Promise::kWhileThePrimaryLives},
    {"durable", "--fsync=always", Promise::kSurvivesThePrimary},
};
constexpr int kReplicas = 2;
constexpr int kStepsBetweenCalms = 8;

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoll(value);
}

class ChaosTest : public testing::TestWithParam<Policy> {
 protected:
  ChaosTest()
      : seed_(static_cast<uint64_t>(FromEnvironment("CHAOS_SEED", 1))),
        random_(seed_),
        primary_(Node::Primary({scratch_.data_dir(), GetParam().flag, "--fsync_interval_ms=10",
                                "--shards=2", "--segment_bytes=1mb", "--backlog_bytes=64kb",
                                "--heartbeat_interval_ms=50"})) {}

  void Begin() {
    ASSERT_TRUE(primary_.AwaitReady());
    ChaosClients::Options options;
    for (int i = 0; i < kReplicas; ++i) {
      proxies_.push_back(std::make_unique<ChaosProxy>(primary_.replication_port()));
      replicas_.push_back(std::make_unique<Node>(
          Node::ReplicaOf(proxies_.back()->port(),
                          {fmt::format("--shards={}", i + 1), "--reconnect_backoff_ms=10",
                           "--reconnect_backoff_max_ms=100", "--heartbeat_interval_ms=50"})));
      ASSERT_TRUE(replicas_.back()->AwaitReady());
      options.replica_ports.push_back(replicas_.back()->port());
    }
    options.primary_port = primary_.port();
    options.promise = GetParam().promise;
    options.seed = seed_;
    clients_ = std::make_unique<ChaosClients>(options);
  }

  int64_t Draw(int64_t from, int64_t below) {
    return from + static_cast<int64_t>(random_() % static_cast<uint64_t>(below - from));
  }
  void Note(std::string step) { steps_.push_back(std::move(step)); }

  // Lets what was done work on: until some writes went through it, or for a while if none do.
  void Hold() {
    const int64_t enough = clients_->acked() + Draw(20, 2'000);
    Eventually(Duration(Draw(50, 500)), [&] { return clients_->acked() >= enough; });
  }

  void HarmALink() {
    const int64_t which = Draw(0, kReplicas);
    ChaosProxy& proxy = *proxies_[static_cast<size_t>(which)];
    const auto direction = static_cast<ChaosProxy::Direction>(Draw(0, 2));
    PipeFaults faults;
    const int64_t kind = Draw(0, 10);
    Note(fmt::format("link {}, direction {}: {}", which, static_cast<int>(direction), kind));
    switch (kind) {
      case 0:
        faults.delay_ms = Draw(1, 60);
        break;
      case 1:
        faults.bytes_per_s = Draw(2'000, 200'000);
        break;
      case 2:
        faults.piece_bytes = 1;
        break;
      case 3:
        faults.stands_still = true;
        break;
      case 4:
        return proxy.Cut();
      case 5:
        proxy.Refuse();
        return proxy.Cut();
      default:
        // Again on each connection that comes, until it heals.
        faults.harm = std::vector<Harm>{Harm::kCut, Harm::kCorrupt, Harm::kDrop,
                                        Harm::kDuplicate}[static_cast<size_t>(kind - 6)];
        faults.harm_at_bytes = static_cast<uint64_t>(Draw(0, 20'000));
        faults.harm_bytes = static_cast<size_t>(Draw(1, 200));
        break;
    }
    proxy.Set(direction, faults);
  }

  void KillPrimary() {
    Note("primary: SIGKILL");
    primary_.Kill();
    clients_->Pause();
    primary_.Restart();
    ASSERT_TRUE(primary_.AwaitReady());
    ASSERT_EQ(clients_->Settle(), "");
    clients_->Resume();
  }

  void Step() {
    const int64_t draw = Draw(0, 16);
    const auto which = static_cast<size_t>(Draw(0, kReplicas));
    Node& replica = *replicas_[which];
    if (draw < 10) {
      HarmALink();
      Hold();
    } else if (draw < 12) {
      Note(fmt::format("replica of port {}: SIGSTOP", replica.port()));
      replica.process().Signal(SIGSTOP);
      Hold();
      replica.process().Signal(SIGCONT);
    } else if (draw < 14) {
      Note(fmt::format("replica of port {}: SIGKILL", replica.port()));
      replica.Kill();
      Hold();
      // It is ready once it has what its primary has.
      proxies_[which]->Heal();
      replica.Restart();
      ASSERT_TRUE(replica.AwaitReady());
    } else if (draw == 14) {
      Note("primary: SIGSTOP");
      primary_.process().Signal(SIGSTOP);
      Hold();
      primary_.process().Signal(SIGCONT);
    } else {
      ASSERT_NO_FATAL_FAILURE(KillPrimary());
    }
    if (const int64_t link = Draw(0, 3 * kReplicas); link < kReplicas) {
      Note(fmt::format("link {} heals", link));
      proxies_[static_cast<size_t>(link)]->Heal();
    }
  }

  // When all is well again and nobody writes, all are equal.
  void Calm() {
    for (const auto& proxy : proxies_) proxy->Heal();
    clients_->Pause();
    std::vector<const Node*> replicas;
    for (const auto& replica : replicas_) replicas.push_back(replica.get());
    ASSERT_TRUE(AwaitConvergence(primary_, replicas));
    clients_->Resume();
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<std::string> steps_;
  const Scratch scratch_;
  Node primary_;
  std::vector<std::unique_ptr<ChaosProxy>> proxies_;
  std::vector<std::unique_ptr<Node>> replicas_;
  std::unique_ptr<ChaosClients> clients_;
};

TEST_P(ChaosTest, NothingThatIsPromisedIsBroken) {
  const auto span = std::chrono::seconds(FromEnvironment("CHAOS_SECONDS", 20)) /
                    static_cast<int64_t>(kPolicies.size());
  const auto end = std::chrono::steady_clock::now() + span;
  ASSERT_NO_FATAL_FAILURE(Begin());
  while (std::chrono::steady_clock::now() < end && !HasFatalFailure() &&
         clients_->fault().empty()) {
    for (int i = 0; i < kStepsBetweenCalms && !HasFatalFailure(); ++i) Step();
    if (!HasFatalFailure()) Calm();
  }
  EXPECT_EQ(clients_->Stop(), "");
  EXPECT_GT(clients_->acked(), 0);
  EXPECT_GT(clients_->verified_reads(), 0);
  uint64_t connections = 0;
  uint64_t harms = 0;
  for (const auto& proxy : proxies_) {
    connections += proxy->connections();
    harms += proxy->harms();
  }
  std::cout << fmt::format(
      "seed {}: {} steps, {} writes acknowledged, {} reads of replicas verified, {} connections of "
      "replicas, {} of them harmed\n",
      seed_, steps_.size(), clients_->acked(), clients_->verified_reads(), connections, harms);
  if (!HasFailure()) return;
  for (const std::string& step : steps_) std::cout << "  " << step << "\n";
}

INSTANTIATE_TEST_SUITE_P(All, ChaosTest, testing::ValuesIn(kPolicies),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tidemark::integration
