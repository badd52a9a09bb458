#include "cache/engine.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "cache/commands/errors.h"
#include "cache/engine_test_util.h"
#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

Engine::Options WithShards(int shards) {
  Engine::Options options;
  options.shard_count = shards;
  return options;
}

// Replies whose order is free are compared sorted.
std::string Comparable(const std::string& command, Value value) {
  if (command == "KEYS") {
    std::sort(value.elements.begin(), value.elements.end(),
              [](const Value& a, const Value& b) { return a.text < b.text; });
  }
  return ToString(value);
}

TEST(EngineTest, AnswersDoNotDependOnTheNumberOfShards) {
  const uint32_t seed = 20261121;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto key = [&] { return "k" + std::to_string(random() % 12); };
  const auto value = [&] { return std::to_string(random() % 100); };

  Engine one(WithShards(1));
  Engine two(WithShards(2));
  Engine three(WithShards(3));
  std::vector<std::unique_ptr<Client>> clients;
  for (Engine* engine : {&one, &two, &three}) {
    engine->Start();
    clients.push_back(std::make_unique<Client>(*engine));
  }
  for (int i = 0; i < 4000; ++i) {
    std::vector<std::string> command;
    switch (random() % 17) {
      case 0:
        command = {"SET", key(), value()};
        break;
      case 1:
        command = {"GET", key()};
        break;
      case 2:
        command = {"MSET", key(), value(), key(), value(), key(), value()};
        break;
      case 3:
        command = {"MGET", key(), key(), key(), key()};
        break;
      case 4:
        command = {"DEL", key(), key(), key()};
        break;
      case 5:
        command = {"EXISTS", key(), key(), key()};
        break;
      case 6:
        command = {"MSETNX", key(), value(), key(), value()};
        break;
      case 7:
        command = {"RENAME", key(), key()};
        break;
      case 8:
        command = {"RENAMENX", key(), key()};
        break;
      case 9:
        command = {"COPY", key(), key()};
        break;
      case 10:
        command = {"COPY", key(), key(), "REPLACE"};
        break;
      case 11:
        command = {"LCS", key(), key()};
        break;
      case 12:
        command = {"INCRBY", key(), value()};
        break;
      case 13:
        command = {"DBSIZE"};
        break;
      case 14:
        command = {"KEYS", "k1*"};
        break;
      case 15:
        command = {"APPEND", key(), value()};
        break;
      case 16:
        if (random() % 10 == 0)
          command = {"FLUSHALL"};
        else
          command = {"TOUCH", key(), key()};
        break;
    }
    const std::string expected = Comparable(command[0], clients[0]->Call(command));
    for (size_t c = 1; c < clients.size(); ++c) {
      ASSERT_EQ(Comparable(command[0], clients[c]->Call(command)), expected)
          << i << ": " << command[0] << " with " << c + 1 << " shards";
    }
  }
  clients.clear();
}

TEST(EngineTest, WrongArgumentsOfCommandsOverShardsAreAnsweredAsOnOne) {
  Engine one(WithShards(1));
  Engine many(WithShards(4));
  one.Start();
  many.Start();
  Client reference(one);
  Client client(many);
  const std::vector<std::vector<std::string>> commands = {
      {"MSET", "a", "1", "b"},
      {"MSETNX", "a", "1", "b"},
      {"COPY", "a", "b", "WHAT"},
      {"LCS", "a", "b", "LEN", "IDX"},
      {"FLUSHALL", "NOW"},
      {"SCAN", "x"},
      {"SCAN", "0", "COUNT", "0"},
      {"SCAN", "281474976710656123"},
      {"RENAME", "none", "b"},
      {"GET"},
      {"NOSUCH", "x"},
      {"OBJECT", "NOSUCH"},
  };
  for (const auto& command : commands) {
    EXPECT_EQ(ToString(client.Call(command)), ToString(reference.Call(command))) << command[0];
  }
}

TEST(EngineTest, ScanVisitsTheKeysOfEveryShardOnce) {
  Engine engine(WithShards(3));
  engine.Start();
  Client client(engine);
  std::set<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    expected.insert("key:" + std::to_string(i));
    client.Call({"SET", "key:" + std::to_string(i), "v"});
  }
  std::multiset<std::string> seen;
  std::string cursor = "0";
  do {
    const Value page = client.Call({"SCAN", cursor, "COUNT", "20"});
    ASSERT_EQ(page.elements.size(), 2u);
    cursor = page.elements[0].text;
    for (const Value& key : page.elements[1].elements) seen.insert(key.text);
  } while (cursor != "0");
  EXPECT_EQ(seen.size(), expected.size()) << "nothing grew meanwhile, so nothing comes twice";
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), expected);
}

TEST(EngineTest, RandomKeyFindsKeysOfEveryShard) {
  Engine engine(WithShards(3));
  engine.Start();
  Client client(engine);
  EXPECT_TRUE(client.Call({"RANDOMKEY"}).is_null());
  std::set<std::string> missing;
  for (int shard = 0; shard < 3; ++shard) missing.insert(KeyOn(engine, shard));
  for (const std::string& key : missing) client.Call({"SET", key, "v"});
  for (int i = 0; i < 10'000 && !missing.empty(); ++i) {
    missing.erase(client.Call({"RANDOMKEY"}).text);
  }
  EXPECT_TRUE(missing.empty());
}

TEST(EngineTest, PostedTasksRunInOrderEvenFromBeforeTheStart) {
  Engine engine(WithShards(2));
  std::vector<int> order;  // Shard 1's alone.
  for (int i = 0; i < 100; ++i)
    engine.Post(ShardId(1), [&order, i](Shard&) { order.push_back(i); });
  engine.Start();
  OnShard(engine, ShardId(1), [](Shard&) {});
  engine.Stop();
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(EngineTest, PostToAllFinishesAfterEveryShard) {
  Engine engine(WithShards(4));
  engine.Start();
  std::atomic<int> ran{0};
  std::promise<std::pair<int, ShardId>> done;
  engine.PostToAll(
      ShardId(2), [&](Shard&) { ++ran; },
      [&](Shard& home) {
        done.set_value({ran.load(), home.id()});
      });
  EXPECT_EQ(done.get_future().get(), std::make_pair(4, ShardId(2)));
}

TEST(EngineTest, StopRunsWhatWasPostedThenHooks) {
  struct Hook final : ShardHook {
    void OnTurnEnd() override { turn_ended_after_task = task_ran; }
    void OnStop() override { stopped = turn_ended_after_task; }
    bool task_ran = false;
    bool turn_ended_after_task = false;
    bool stopped = false;
  };
  Hook hook;
  Engine engine(WithShards(1));
  engine.shard(ShardId(0)).AddHook(&hook);
  engine.Start();
  engine.Post(ShardId(0), [&](Shard&) { hook.task_ran = true; });
  engine.Stop();
  EXPECT_TRUE(hook.stopped);
  bool dropped = true;
  engine.Post(ShardId(0), [&](Shard&) { dropped = false; });
  EXPECT_TRUE(dropped);
  EXPECT_TRUE(Client(engine).Call({"GET", "k"}).is_error());
}

TEST(EngineTest, TicksAndSlicesComeWithoutTraffic) {
  struct Hook final : ShardHook {
    void OnTick(int64_t now_ms) override {
      if (++ticks == 3) slices_wanted = 5;
    }
    bool DoSlice() override {
      if (slices_wanted == 0) return false;
      if (--slices_wanted == 0) done.set_value();
      return true;
    }
    int ticks = 0;
    int slices_wanted = 0;
    std::promise<void> done;
  };
  Hook hook;
  Engine::Options options = WithShards(1);
  options.tick_ms = 1;
  Engine engine(std::move(options));
  engine.shard(ShardId(0)).AddHook(&hook);
  engine.Start();
  EXPECT_EQ(hook.done.get_future().wait_for(kTestDeadline), std::future_status::ready);
}

TEST(EngineTest, ExpiredKeysGoWithoutBeingTouched) {
  Engine::Options options = WithShards(2);
  options.tick_ms = 1;
  Engine engine(std::move(options));
  engine.Start();
  Client client(engine);
  for (int i = 0; i < 100; ++i) client.Call({"SET", "k" + std::to_string(i), "v", "PX", "1"});
  const auto deadline = std::chrono::steady_clock::now() + kTestDeadline;
  Value size = client.Call({"DBSIZE"});
  while (size.integer != 0 && std::chrono::steady_clock::now() < deadline) {
    size = client.Call({"DBSIZE"});
  }
  EXPECT_EQ(size.integer, 0);
}

TEST(EngineTest, StatsCountCallsFailuresAndCommandsOverShards) {
  Engine engine(WithShards(2));
  engine.Start();
  Client client(engine);
  const std::string a = KeyOn(engine, 0);
  const std::string b = KeyOn(engine, 1);
  client.Call({"SET", a, "text"});
  client.Call({"INCR", a});
  client.Call({"MSET", a, "1", b, "2"});
  CommandStats total(engine.commands().size());
  for (int i = 0; i < 2; ++i) {
    total.Merge(OnShard(engine, ShardId(static_cast<uint16_t>(i)),
                        [](Shard& shard) { return shard.command_stats(); }));
  }
  const auto row = [&](const char* name) { return total.row(engine.commands().Find(name)->id); };
  EXPECT_EQ(row("set").calls, 1u);
  EXPECT_EQ(row("set").failed, 0u);
  EXPECT_EQ(row("incr").failed, 1u);
  EXPECT_EQ(row("mset").calls, 1u);
  EXPECT_GT(row("mset").nanos, 0u);
}

TEST(EngineTest, AReadOnlyShardChangesNothingWhateverWayAWriteComes) {
  for (const int shards : {1, 2}) {
    Engine engine(WithShards(shards));
    engine.Start();
    Client client(engine);
    const std::string here = KeyOn(engine, 0);
    const std::string there = KeyOn(engine, shards - 1, 1);
    client.Call({"MSET", here, "1", there, "1"});
    const auto set_read_only = [&](bool read_only) {
      std::promise<void> done;
      engine.RunAtCut(
          ShardId(0), [read_only](Shard& shard) { shard.set_read_only(read_only); },
          [&](Shard&) { done.set_value(); });
      ASSERT_EQ(done.get_future().wait_for(kTestDeadline), std::future_status::ready);
    };
    set_read_only(true);
    const std::vector<std::vector<std::string>> writes = {{"SET", here, "2"},
                                                          {"SET", there, "2"},
                                                          {"DEL", here, there},
                                                          {"MSET", here, "2", there, "2"},
                                                          {"MSETNX", "a", "1", "b", "1"},
                                                          {"RENAME", here, there},
                                                          {"INCR", there},
                                                          {"FLUSHALL"}};
    for (const std::vector<std::string>& write : writes) {
      const Value answer = client.Call(write);
      EXPECT_EQ(answer.text, kReadOnlyReplica) << write[0] << " of " << shards << " shards";
    }
    EXPECT_EQ(client.Call({"GET", here}).text, "1");
    EXPECT_EQ(client.Call({"DBSIZE"}).integer, 2);
    set_read_only(false);
    EXPECT_EQ(client.Call({"INCR", there}).integer, 2);
    engine.Stop();
  }
}

}  // namespace
}  // namespace tidemark::cache
