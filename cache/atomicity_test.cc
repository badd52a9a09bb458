// Threads that change and read keys of several shards at once: nobody sees half, and nobody hangs.

#include <atomic>
#include <random>
#include <thread>

#include "cache/engine_test_util.h"
#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

class AtomicityTest : public testing::TestWithParam<int> {
 protected:
  AtomicityTest() {
    Engine::Options options;
    options.shard_count = GetParam();
    options.mesh_ring_messages = 4;
    options.park_timeout_ms = 30'000;  // A lost wake would show.
    options.tick_ms = 30'000;
    engine_ = std::make_unique<Engine>(std::move(options));
    engine_->Start();
  }
  ~AtomicityTest() override { engine_->Stop(); }

  // Runs each of `actors` with its own client and generator, `rounds` times, all at once.
  using Actor = std::function<void(Client&, std::mt19937&)>;
  void RunAll(const std::vector<Actor>& actors, int rounds) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < actors.size(); ++i) {
      threads.emplace_back([&, i] {
        std::mt19937 random(static_cast<uint32_t>(i));
        Client client(*engine_);
        for (int round = 0; round < rounds; ++round) actors[i](client, random);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::string Key(int n) const { return KeyOn(*engine_, n % GetParam(), n / GetParam()); }

  std::unique_ptr<Engine> engine_;
};

TEST_P(AtomicityTest, ReadersNeverSeeAMix) {
  std::atomic<int> mixes{0};
  std::atomic<int> values{0};
  const Actor writer = [&](Client& client, std::mt19937& random) {
    const std::string value = std::to_string(random());
    // In any order of arguments: the locks have one of their own.
    if (random() % 2 == 0) {
      client.Call({"MSET", Key(0), value, Key(1), value, Key(2), value});
    } else {
      client.Call({"MSET", Key(2), value, Key(0), value, Key(1), value});
    }
  };
  const Actor reader = [&](Client& client, std::mt19937& random) {
    const Value all = client.Call({"MGET", Key(0), Key(1), Key(2)});
    if (all.elements[0] != all.elements[1] || all.elements[1] != all.elements[2]) ++mixes;
    if (!all.elements[0].is_null()) ++values;
  };
  const Actor flusher = [&](Client& client, std::mt19937& random) {
    client.Call({"EXISTS", Key(0), Key(1)});
    client.Call({random() % 8 == 0 ? "FLUSHALL" : "DBSIZE"});
  };
  RunAll({writer, writer, reader, reader, flusher}, 300);
  EXPECT_EQ(mixes, 0);
  EXPECT_GT(values, 0);
}

// One token moves among the keys of all shards; whoever looks sees exactly one.
TEST_P(AtomicityTest, RenameChainsNeverLoseOrDoubleAKey) {
  constexpr int kPlaces = 5;
  std::vector<std::string> count = {"EXISTS"};
  for (int i = 0; i < kPlaces; ++i) count.push_back(Key(i));
  Client(*engine_).Call({"SET", Key(0), "token"});
  std::atomic<int> wrong{0};
  const Actor mover = [&](Client& client, std::mt19937& random) {
    const int from = static_cast<int>(random() % kPlaces);
    const int to = static_cast<int>(random() % kPlaces);
    client.Call({"RENAMENX", Key(from), Key(to)});
    client.Call({"RENAME", Key(to), Key(from)});
  };
  const Actor counter = [&](Client& client, std::mt19937&) {
    if (client.Call(count).integer != 1) ++wrong;
  };
  RunAll({mover, mover, mover, counter, counter}, 200);
  EXPECT_EQ(wrong, 0);
}

// A cut among transfers: the sum over all shards is the same at every one.
TEST_P(AtomicityTest, CutsFallBetweenTransactions) {
  std::atomic<int> wrong{0};
  std::atomic<int> cuts{0};
  const Actor writer = [&](Client& client, std::mt19937& random) {
    const std::string value = std::to_string(random() % 1000);
    client.Call({"MSET", Key(0), value, Key(1), value});
  };
  const Actor cutter = [&](Client&, std::mt19937&) {
    std::vector<std::string> seen(static_cast<size_t>(GetParam()));
    std::promise<void> done;
    engine_->RunAtCut(
        ShardId(0),
        [&](Shard& shard) {
          const int key = shard.id().value();
          if (key > 1) return;
          const Entry* entry = shard.keyspace().Peek(KeyRef::Of(Key(key)));
          if (entry != nullptr) seen[static_cast<size_t>(key)] = entry->value();
        },
        [&](Shard&) { done.set_value(); });
    done.get_future().wait();
    ++cuts;
    if (GetParam() > 1 && seen[0] != seen[1]) ++wrong;
  };
  RunAll({writer, writer, cutter}, 150);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cuts, 150);
}

TEST_P(AtomicityTest, StopsWhileLoaded) {
  std::atomic<int> answered{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      Client client(*engine_);
      for (bool stopped = false; !stopped;) {
        const Value value =
            client.Call({"MSET", Key(0), "1", Key(static_cast<int>(random() % 9)), "2"});
        stopped = value.is_error();
        ++(stopped ? refused : answered);
      }
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + kTestDeadline;
  while (answered < 200 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  engine_->Stop();
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(answered, 200);
  EXPECT_EQ(refused, 3);
}

INSTANTIATE_TEST_SUITE_P(Shards, AtomicityTest, testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace tidemark::cache
