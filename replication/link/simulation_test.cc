// Both ends of replication in one process, under a network that delays, cuts, loses, corrupts and
// repeats, a primary that restarts with another history, and replicas that restart empty. When the
// faults stop, every replica must come to hold what the primary holds; and at no moment may a
// reader see half a transaction.
//
// One seed decides a run. To replay one: TIDEMARK_SIMULATION_SEED=n, and for more:
// TIDEMARK_SIMULATION_RUNS=n.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sanitizers.h"
#include "fmt/format.h"
#include "replication/link/simulated_network.h"
#include "replication/link/simulated_primary.h"
#include "replication/link/simulated_replica.h"

namespace tidemark::replication {
namespace {

// Virtual time begins at one second.
constexpr int64_t kFaultsUntilUs = 1'700'000;
constexpr int64_t kWritesUntilUs = 1'800'000;
constexpr int64_t kConvergedByUs = 20'000'000;
constexpr int kPairs = 6;

// What the runs of this process have met: a fault that never strikes proves nothing.
struct Coverage {
  uint64_t refused_or_broken = 0;
  uint64_t backlog_plans = 0;
  uint64_t snapshot_plans = 0;
  uint64_t mixed_plans = 0;
  uint64_t snapshots_swapped_in = 0;
  uint64_t snapshots_dropped = 0;
  uint64_t damaged_messages = 0;
  uint64_t steps_at_cut = 0;
  uint64_t applied_records = 0;
  FeedCounters feeds;

  void Add(const PrimaryHub& hub) {
    const FeedCounters& of = hub.feeds();
    feeds.left_live += of.left_live;
    feeds.returned += of.returned;
    feeds.began_in_log += of.began_in_log;
    feeds.fell_to_log += of.fell_to_log;
    feeds.log_frames += of.log_frames;
    feeds.out_of_reach += of.out_of_reach;
    feeds.snapshot_overflows += of.snapshot_overflows;
  }
  void Add(SimulatedReplica& replica) {
    const ReplicaLink::Counters& link = replica.link().counters();
    const Applier::Counters& applier = replica.applier().counters();
    refused_or_broken += link.attempts - 1;
    backlog_plans += link.plans_without_snapshot;
    snapshot_plans += link.plans_with_snapshot;
    mixed_plans += link.plans_mixed;
    damaged_messages += link.damaged_messages;
    snapshots_swapped_in += applier.snapshots_swapped_in;
    snapshots_dropped += applier.snapshots_dropped;
    steps_at_cut += applier.steps_at_cut;
    applied_records += applier.applied_records;
  }
};

class World {
 public:
  World(uint64_t seed, Coverage* coverage) : sim_(seed), coverage_(*coverage) {
    for (int64_t pair = 0; pair < kPairs; ++pair) {
      for (const std::string_view end : kPairEnds) {
        pairs_[static_cast<size_t>(pair)].push_back(fmt::format("pair:{}:{}", pair, end));
      }
    }
    StartPrimary();
    const int64_t replicas = sim_.Between(1, 2);
    for (int64_t i = 0; i < replicas; ++i) {
      replicas_.emplace_back();
      StartReplica(static_cast<size_t>(i));
    }
    Write();
    Fault();
    Look();
  }
  ~World() {
    StopPrimary();
    for (const auto& replica : replicas_) coverage_.Add(*replica);
  }

  // Empty if all went well.
  std::string Run() {
    sim_.RunUntil(kWritesUntilUs);
    if (primary_ == nullptr) StartPrimary();
    // An empty primary is one that replicas with data refuse, as they should.
    for (int i = 0; i < 3; ++i) primary_->Set(fmt::format("last:{}", i), "x", 0);
    while (sim_.now_us() < kConvergedByUs) {
      sim_.RunUntil(sim_.now_us() + 50'000);
      if (!fault_.empty()) return fault_;
      if (Converged()) return CheckWait();
    }
    const std::string difference = Difference();
    return difference.empty() ? "equal contents, but " + Vectors() : difference;
  }

  static constexpr std::string_view kPairEnds[] = {"a", "b", "c"};

 private:
  void StartPrimary();
  void StopPrimary() {
    if (primary_ != nullptr) coverage_.Add(primary_->hub());
    primary_ = nullptr;
  }
  void StartReplica(size_t index);
  std::shared_ptr<SimulatedConnection> Dial(size_t index);
  void Write();
  void WriteOne();
  void Fault();
  void Look();
  bool Converged();
  std::string Difference();
  std::string Vectors();
  std::string CheckWait();
  std::string RandomKey() { return fmt::format("key:{}", sim_.Between(0, 150)); }

  Simulation sim_;
  Coverage& coverage_;
  std::vector<std::string> pairs_[kPairs];
  std::unique_ptr<SimulatedPrimary> primary_;
  std::vector<std::unique_ptr<SimulatedReplica>> replicas_;
  uint64_t next_history_ = 1;
  uint64_t next_value_ = 1;
  bool unreachable_ = false;
  std::string fault_;
  std::vector<std::pair<HistoryId, Watermarks>> seen_ =
      std::vector<std::pair<HistoryId, Watermarks>>(2);
};

void World::StartPrimary() {
  SimulatedPrimary::Options options;
  options.shards = static_cast<int>(sim_.Between(1, 4));
  options.history = HistoryId(next_history_++);
  options.backlog_bytes = static_cast<size_t>(sim_.Between(1, sim_.Chance(50) ? 8 : 64)) << 10;
  options.snapshots = {.chunk_bytes = 4 << 10, .slice_bytes = 512};
  options.hub.link = {.tokens = {.current = "secret", .previous = ""},
                      .hello_timeout_ms = 100,
                      .heartbeat_interval_ms = 20,
                      .silence_timeout_ms = 200,
                      .write_timeout_ms = 300};
  options.hub.subscriber.max_frames = static_cast<size_t>(sim_.Between(8, 64));
  options.hub.subscriber.max_bytes = static_cast<size_t>(sim_.Between(4, 64)) << 10;
  options.hub.max_output_bytes = 8 << 10;
  options.hub.zstd = sim_.Chance(50);
  options.hub.compressor.min_payload_bytes = 64;
  options.hub.feed = {.log_wait_ms = 3, .log_stuck_ms = 500};
  options.hub.registry = {.max_away = 4,
                          .away_ms = 500,
                          .keep_every_ms = 20,
                          .max_doublings = 3,
                          .too_slow_wait_ms = 200,
                          .forgiven_after_ms = 200};
  if (sim_.Chance(60)) {
    options.log = {.max_bytes = static_cast<size_t>(sim_.Between(16, 512)) << 10,
                   .max_delay_us = sim_.Between(0, 30'000),
                   .fail_percent = sim_.Chance(20) ? 5 : 0};
  }
  StopPrimary();
  primary_ = std::make_unique<SimulatedPrimary>(&sim_, options);
}

void World::StartReplica(size_t index) {
  SimulatedReplica::Options options;
  options.link.node_id = fmt::format("node-{}", index);
  options.link.token = "secret";
  options.link.want_zstd = sim_.Chance(50);
  options.link.connect_timeout_ms = 50;
  options.link.accept_timeout_ms = 300;
  options.link.silence_timeout_ms = 200;
  options.link.stable_after_ms = 100;
  options.link.backoff = {.first_ms = 5, .longest_ms = 100};
  options.link.seed = static_cast<uint64_t>(sim_.Between(1, 1 << 30));
  options.applier = {.own_shards = static_cast<int>(sim_.Between(1, 4)),
                     .max_pending_bytes = static_cast<size_t>(sim_.Between(2, 32)) << 10,
                     .max_held_bytes = 16 << 20,
                     .max_step_bytes = static_cast<size_t>(sim_.Between(1, 8)) << 10,
                     .max_steps_under_way = static_cast<size_t>(sim_.Between(1, 3))};
  seen_[index] = {};
  if (replicas_[index] != nullptr) coverage_.Add(*replicas_[index]);
  replicas_[index] = nullptr;
  replicas_[index] =
      std::make_unique<SimulatedReplica>(&sim_, options, [this, index] { return Dial(index); });
}

std::shared_ptr<SimulatedConnection> World::Dial(size_t index) {
  if (primary_ == nullptr || unreachable_) return nullptr;
  auto connection = std::make_shared<SimulatedConnection>(&sim_);
  primary_->Accept(connection);
  return connection;
}

// --- What happens ---

void World::Write() {
  if (sim_.now_us() >= kWritesUntilUs) return;
  for (int64_t n = sim_.Between(1, 6); n > 0 && primary_ != nullptr; --n) WriteOne();
  sim_.In(sim_.Between(200, 8'000), [this] { Write(); });
}

void World::WriteOne() {
  const int64_t now_ms = SimulatedPrimary::WallMillis(sim_);
  const std::string value = fmt::format(
      "{}:{}", next_value_++, std::string(static_cast<size_t>(sim_.Between(0, 300)), 'v'));
  const int64_t choice = sim_.Between(1, 1000);
  if (choice <= 500) {
    primary_->Set(RandomKey(), value, 0);
  } else if (choice <= 600) {
    // Also with times that have passed when they reach a replica.
    primary_->Set(RandomKey(), value, now_ms + sim_.Between(1, 200));
  } else if (choice <= 700) {
    primary_->Delete(RandomKey());
  } else if (choice <= 760) {
    primary_->Append(RandomKey(), "more");
  } else if (choice <= 820) {
    primary_->Expire(RandomKey(), sim_.Chance(50) ? 0 : now_ms + sim_.Between(1, 300));
  } else if (choice <= 995) {
    primary_->SetAll(pairs_[sim_.Between(0, kPairs - 1)], value);
  } else {
    primary_->FlushAll();
  }
}

void World::Fault() {
  if (sim_.now_us() >= kFaultsUntilUs) {
    unreachable_ = false;
    if (primary_ == nullptr) StartPrimary();
    return;
  }
  const auto index =
      static_cast<size_t>(sim_.Between(0, static_cast<int64_t>(replicas_.size()) - 1));
  const std::shared_ptr<SimulatedConnection> connection = replicas_[index]->connection();
  const int64_t choice = sim_.Between(1, 100);
  if (choice <= 8) {
    StartReplica(index);
  } else if (choice <= 12) {
    StopPrimary();
    sim_.In(sim_.Between(1, 200'000), [this] {
      if (primary_ == nullptr) StartPrimary();
    });
  } else if (choice <= 20) {
    unreachable_ = true;
    sim_.In(sim_.Between(1, 100'000), [this] { unreachable_ = false; });
  } else if (connection == nullptr) {
    // The others need a connection.
  } else if (choice <= 45) {
    connection->Cut();
  } else if (choice <= 55) {
    connection->LoseSilently();
  } else if (choice <= 75) {
    connection->CorruptNext(static_cast<int>(sim_.Between(0, 1)));
  } else if (choice <= 85) {
    // Too slow for its queue.
    connection->SlowDown(1, sim_.Between(10'000, 150'000));
  } else if (choice <= 95 && primary_ != nullptr) {
    // A second connection of the same node: whichever stays, the other is told and comes back.
    auto copy = std::make_shared<SimulatedConnection>(&sim_);
    copy->Attach(0,
                 {.on_bytes = [](std::string_view) {}, .on_writable = [] {}, .on_closed = [] {}});
    primary_->Accept(copy);
    wire::Hello hello;
    hello.set_min_version(1);
    hello.set_max_version(1);
    hello.set_role(wire::Hello::ROLE_REPLICA);
    hello.set_node_id(fmt::format("node-{}", index));
    hello.set_token("secret");
    copy->Write(0, EncodeControl(hello));
    sim_.In(sim_.Between(1'000, 300'000), [copy] { copy->Cut(); });
  }
  sim_.In(sim_.Between(10'000, 250'000), [this] { Fault(); });
}

// What a reader may count on at any time.
void World::Look() {
  for (size_t index = 0; index < replicas_.size(); ++index) {
    SimulatedReplica& replica = *replicas_[index];
    for (const std::vector<std::string>& keys : pairs_) {
      const std::string first = replica.Read(keys[0]);
      for (const std::string& key : keys) {
        if (replica.Read(key) != first) {
          fault_ = fmt::format("half a transaction: {} is {:.20} and {} is {:.20}", keys[0], first,
                               key, replica.Read(key));
        }
      }
    }
    auto& [history, applied] = seen_[index];
    if (replica.applier().history() == history) {
      for (size_t i = 0; i < applied.size(); ++i) {
        if (replica.applier().applied()[i] < applied[i]) fault_ = "the applied vector went back";
      }
    }
    history = replica.applier().history();
    applied = replica.applier().applied();
  }
  if (sim_.now_us() < kConvergedByUs) sim_.In(sim_.Between(500, 5'000), [this] { Look(); });
}

// --- How it ends ---

bool World::Converged() {
  for (const auto& replica : replicas_) {
    if (replica->applier().history() != primary_->history()) return false;
    if (replica->applier().applied() != primary_->Emitted()) return false;
    if (replica->link().emitted() != primary_->Emitted()) return false;
  }
  return !primary_->walking() && Difference().empty();
}

std::string World::Difference() {
  const std::map<std::string, std::string> expected = primary_->Contents();
  for (const auto& replica : replicas_) {
    const std::map<std::string, std::string> actual = replica->Contents();
    if (actual == expected) continue;
    std::string text = fmt::format(
        "{} (last failure: {}) has {} keys, the primary {};", replica->link().state_name(),
        replica->link().last_failure().ToString(), actual.size(), expected.size());
    for (const auto& [key, value] : expected) {
      const auto it = actual.find(key);
      if (it == actual.end() || it->second != value) {
        return text + fmt::format(" {} should be {:.30} and is {:.30}", key, value,
                                  it == actual.end() ? "absent" : it->second);
      }
    }
    return text + " and keys that it should not have";
  }
  return "";
}

std::string World::Vectors() {
  const auto text = [](const Watermarks& marks) {
    std::string joined;
    for (const Sequence mark : marks) joined += fmt::format(" {}", mark.value());
    return joined;
  };
  std::string all =
      fmt::format("primary {}:{}", primary_->history().value(), text(primary_->Emitted()));
  for (const auto& replica : replicas_) {
    all += fmt::format("; replica {} {}: applied{}, received{}, heard of{}, last failure {}",
                       replica->link().state_name(), replica->applier().history().value(),
                       text(replica->applier().applied()), text(replica->link().received()),
                       text(replica->link().emitted()), replica->link().last_failure().ToString());
  }
  return all;
}

std::string World::CheckWait() {
  int covering = -1;
  primary_->hub().WaitFor(
      primary_->Emitted(), static_cast<int>(replicas_.size()), sim_.now_ms() + 1'000,
      [&](int count) { covering = count; }, sim_.now_ms());
  const int64_t give_up_us = sim_.now_us() + 1'200'000;
  while (covering < 0 && sim_.now_us() < give_up_us) sim_.RunUntil(sim_.now_us() + 5'000);
  if (covering == static_cast<int>(replicas_.size())) return fault_;
  return fmt::format("WAIT counted {} of {} replicas", covering, replicas_.size());
}

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

TEST(SimulationTest, EveryReplicaConvergesAndNoReaderSeesHalfATransaction) {
  const int64_t only = FromEnvironment("TIDEMARK_SIMULATION_SEED", 0);
  const int64_t runs = FromEnvironment("TIDEMARK_SIMULATION_RUNS", Scaled(1'000, 300));
  Coverage coverage;
  for (int64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : runs); ++seed) {
    World world(static_cast<uint64_t>(seed), &coverage);
    const std::string fault = world.Run();
    ASSERT_EQ(fault, "") << "TIDEMARK_SIMULATION_SEED=" << seed;
  }
  fmt::print(
      "broken {}, without snapshot {}, snapshots {} (mixed {}, swapped in {}, dropped {}), damaged "
      "{}, steps "
      "at a cut {}, records {}; left live {}, returned {}, from the log {} + {}, frames from it "
      "{}, "
      "out of reach {}, overflowed in a snapshot {}\n",
      coverage.refused_or_broken, coverage.backlog_plans, coverage.snapshot_plans,
      coverage.mixed_plans, coverage.snapshots_swapped_in, coverage.snapshots_dropped,
      coverage.damaged_messages, coverage.steps_at_cut, coverage.applied_records,
      coverage.feeds.left_live, coverage.feeds.returned, coverage.feeds.began_in_log,
      coverage.feeds.fell_to_log, coverage.feeds.log_frames, coverage.feeds.out_of_reach,
      coverage.feeds.snapshot_overflows);
  if (only != 0 || runs < 100) return;
  EXPECT_GT(coverage.backlog_plans, 0u);
  EXPECT_GT(coverage.snapshots_swapped_in, 0u);
  EXPECT_GT(coverage.snapshots_dropped, 0u);
  EXPECT_GT(coverage.mixed_plans, 0u);
  EXPECT_GT(coverage.damaged_messages, 0u);
  EXPECT_GT(coverage.feeds.left_live, 0u);
  EXPECT_GT(coverage.feeds.returned, 0u);
  EXPECT_GT(coverage.feeds.began_in_log, 0u);
  EXPECT_GT(coverage.feeds.fell_to_log, 0u);
  EXPECT_GT(coverage.feeds.out_of_reach, 0u);
  EXPECT_GT(coverage.steps_at_cut, 0u);
}

}  // namespace
}  // namespace tidemark::replication
