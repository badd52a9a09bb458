#include "replication/shell/step_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/apply/applier_test_util.h"

namespace tidemark::replication {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Two shards that do what they were told when the test says so.
class StepRunnerTest : public testing::Test {
 protected:
  StepRunnerTest() { node_.Join(); }

  ShardCalls Calls() {
    ShardCalls calls;
    calls.post = [this](ShardId shard, absl::AnyInvocable<void()> task) {
      log_.push_back("post " + std::to_string(shard.value()));
      tasks_.push_back(std::move(task));
    };
    calls.at_cut = [this](std::function<void(ShardId)> each, absl::AnyInvocable<void()> done) {
      log_.push_back("cut");
      tasks_.push_back([each = std::move(each), done = std::move(done)]() mutable {
        for (const uint16_t shard : {0, 1}) each(ShardId(shard));
        done();
      });
    };
    if (paces_) {
      calls.pace = [this](ShardId, size_t bytes, absl::AnyInvocable<void()> done) {
        EXPECT_GT(bytes, 0u);
        paced_.push_back(std::move(done));
      };
    }
    return calls;
  }
  StepRunner Runner() {
    return StepRunner(&loop_, &node_.applier, Keyspaces(), {}, Calls(),
                      {.before_visible = [this] { log_.push_back("visible"); },
                       .on_done =
                           [this](const absl::Status& status) {
                             EXPECT_TRUE(status.ok()) << status;
                             log_.push_back("done");
                           }});
  }
  std::vector<cache::Keyspace*> Keyspaces() {
    std::vector<cache::Keyspace*> keyspaces;
    for (const auto& keyspace : node_.keyspaces) keyspaces.push_back(keyspace.get());
    return keyspaces;
  }
  // A key of each shard, in one frame of each.
  void GiveBoth(const std::string& value) {
    for (int shard : {0, 1}) {
      node_.Give(node_.writers[static_cast<size_t>(shard)].Set(KeyOn(shard, 2), value).Mutations());
    }
  }
  // The shards do all that they were told, and the link thread hears of it.
  void RunTasks() {
    while (!tasks_.empty()) {
      absl::AnyInvocable<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
    Listen();
  }
  void Listen() {
    loop_.context().restart();
    loop_.context().poll();
  }
  std::vector<std::string> TakeLog() { return std::exchange(log_, {}); }

  LinkLoop loop_;  // Not started: the test's thread is the link thread.
  ApplierNode node_{2, 2};
  bool paces_ = false;
  std::deque<absl::AnyInvocable<void()>> tasks_;
  std::deque<absl::AnyInvocable<void()>> paced_;
  std::vector<std::string> log_;
};

TEST_F(StepRunnerTest, WhatReadersWillSeeIsSaidBeforeAnyShardBegins) {
  StepRunner runner = Runner();
  GiveBoth("new");
  ASSERT_TRUE(runner.HandOut().ok());
  const std::vector<std::string> log = TakeLog();
  ASSERT_FALSE(log.empty());
  EXPECT_EQ(log.front(), "visible");
  EXPECT_THAT(node_.Contents(), IsEmpty());
  RunTasks();
  EXPECT_THAT(TakeLog(), testing::Contains("done"));
  EXPECT_EQ(node_.Contents(),
            (std::map<std::string, std::string>{{KeyOn(0, 2), "new"}, {KeyOn(1, 2), "new"}}));
  EXPECT_TRUE(node_.applier.idle());
}

TEST_F(StepRunnerTest, WhoLooksSeesNoStepHalfDoneAndHoldsBackTheNext) {
  StepRunner runner = Runner();
  GiveBoth("first");
  ASSERT_TRUE(runner.HandOut().ok());
  std::vector<uint16_t> seen;
  std::optional<ReplicaPosition> position;
  runner.Observe({.before = [this] { log_.push_back("before"); },
                  .each = [&](ShardId shard) { seen.push_back(shard.value()); },
                  .done = [&](const ReplicaPosition& at) { position = at; }});
  TakeLog();
  ASSERT_TRUE(runner.HandOut().ok());
  EXPECT_THAT(TakeLog(), IsEmpty()) << "a step is under way";
  RunTasks();
  GiveBoth("second");
  TakeLog();
  ASSERT_TRUE(runner.HandOut().ok());
  ASSERT_TRUE(runner.HandOut().ok());
  EXPECT_THAT(TakeLog(), ElementsAre("before", "cut")) << "once, and no step of the second";
  RunTasks();
  EXPECT_THAT(seen, ElementsAre(0, 1));
  ASSERT_TRUE(position.has_value());
  EXPECT_EQ(position->history, kHistory);
  EXPECT_EQ(position->shards[0].sequence, Sequence(1));
  EXPECT_FALSE(runner.observed());
  ASSERT_TRUE(runner.HandOut().ok());
  RunTasks();
  EXPECT_EQ(node_.Contents()[KeyOn(1, 2)], "second");
}

TEST_F(StepRunnerTest, AStepEndsWhenItsShardsCanTakeMore) {
  paces_ = true;
  StepRunner runner = Runner();
  GiveBoth("new");
  ASSERT_TRUE(runner.HandOut().ok());
  RunTasks();
  EXPECT_FALSE(node_.applier.idle());
  while (!paced_.empty()) {
    paced_.front()();
    paced_.pop_front();
  }
  Listen();
  EXPECT_TRUE(node_.applier.idle());
}

TEST_F(StepRunnerTest, WhatIsWrongWithTheStreamIsToldToWhoAsks) {
  ApplierNode node(1, 1);
  const ShardPosition border = node.writers[0].position();
  // It holds more than what a stream of another history goes on from.
  node.applier.Begin({kHistory, {border}}, {Sequence(1)}, {1});
  node.applier.OnPlan({.history = HistoryId(6),
                       .shards = {{.source = CatchUpSource::kCurrent, .at = border}},
                       .continues = kHistory});
  StepRunner runner(&loop_, &node.applier, {node.keyspaces[0].get()}, {}, Calls(), {});
  EXPECT_FALSE(runner.HandOut().ok());
  EXPECT_THAT(TakeLog(), IsEmpty());
}

}  // namespace
}  // namespace tidemark::replication
