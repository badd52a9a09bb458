// Shards on threads of their own, as an engine would run them, for tests of the link threads.

#ifndef TIDEMARK_REPLICATION_SHELL_TEST_SHARDS_H_
#define TIDEMARK_REPLICATION_SHELL_TEST_SHARDS_H_

#include <barrier>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"
#include "replication/link/shard_access.h"
#include "replication/shell/shard_calls.h"

namespace tidemark::replication {

class TestShards {
 public:
  // A primary's, with publishers of `history`, or with history 0 a replica's.
  TestShards(int count, HistoryId history) : budget_(1 << 20, count) {
    for (int i = 0; i < count; ++i) {
      shards_.push_back(std::make_unique<OneShard>(i, count, history, &budget_));
    }
    for (auto& shard : shards_) shard->thread = std::thread([s = shard.get()] { s->Run(); });
  }
  ~TestShards() { Stop(); }

  // Runs what was posted, and joins.
  void Stop() {
    for (auto& shard : shards_) shard->Post(nullptr);
    for (auto& shard : shards_) {
      if (shard->thread.joinable()) shard->thread.join();
    }
  }

  ShardCalls calls() {
    return {.post = [this](ShardId shard,
                           absl::AnyInvocable<void()> task) { At(shard).Post(std::move(task)); },
            .at_cut = [this](std::function<void(ShardId)> each,
                             absl::AnyInvocable<void()> done) { AtCut(each, std::move(done)); }};
  }
  std::vector<PublishingShard> publishing() {
    std::vector<PublishingShard> shards;
    for (auto& shard : shards_) {
      shards.push_back({shard->keyspace, *shard->publisher, *shard->snapshots});
    }
    return shards;
  }
  std::vector<cache::Keyspace*> keyspaces() {
    std::vector<cache::Keyspace*> keyspaces;
    for (auto& shard : shards_) keyspaces.push_back(&shard->keyspace);
    return keyspaces;
  }

  void Set(const std::string& key, const std::string& value) {
    const uint64_t hash = KeyHash(key);
    OneShard& shard = At(ShardOf(key, hash, static_cast<int>(shards_.size())));
    shard.Post([&shard, key, hash, value] {
      shard.keyspace.Set({key, hash}, value, cache::kNoExpiry);
    });
  }
  std::map<std::string, std::string> Contents() {
    std::map<std::string, std::string> contents;
    for (auto& shard : shards_) {
      std::promise<cache::State> state;
      shard->Post([&] { state.set_value(cache::StateOf(shard->keyspace)); });
      for (const auto& [key, stored] : state.get_future().get()) contents[key] = stored.value;
    }
    return contents;
  }
  // After the turn in which all that was posted has run.
  Watermarks Emitted() {
    Watermarks emitted;
    for (auto& shard : shards_) {
      std::promise<Sequence> sequence;
      shard->Post([&] {
        shard->publisher->SealNow();
        sequence.set_value(shard->publisher->emitted());
      });
      emitted.push_back(sequence.get_future().get());
    }
    return emitted;
  }

 private:
  struct OneShard {
    OneShard(int id, int count, HistoryId history, BacklogBudget* budget)
        : keyspace({.effects_only = history == HistoryId()}) {
      if (history == HistoryId()) return;
      publisher = std::make_unique<ShardPublisher>(
          ShardPublisher::Options{.shard = ShardId(static_cast<uint16_t>(id)),
                                  .shard_count = count,
                                  .history = history,
                                  .limits = {},
                                  .budget = budget});
      snapshots = std::make_unique<SnapshotProducer>(
          SnapshotProducer::Options{.chunk_bytes = 4 << 10, .slice_bytes = 1 << 10}, &keyspace,
          publisher.get());
      keyspace.set_sink(publisher.get());
    }

    // Null: stop.
    void Post(absl::AnyInvocable<void()> task) {
      std::lock_guard lock(mutex);
      tasks.push_back(std::move(task));
      changed.notify_one();
    }
    void Run() {
      bool more = false;
      while (true) {
        std::deque<absl::AnyInvocable<void()>> due;
        {
          std::unique_lock lock(mutex);
          if (!more) changed.wait(lock, [&] { return !tasks.empty(); });
          due.swap(tasks);
        }
        for (auto& task : due) {
          if (task == nullptr) return;
          task();
        }
        if (publisher == nullptr) continue;
        publisher->OnTurnEnd(Clock::System().UnixMillis());
        more = snapshots->DoSlice();
      }
    }

    cache::Keyspace keyspace;
    std::unique_ptr<ShardPublisher> publisher;
    std::unique_ptr<SnapshotProducer> snapshots;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<absl::AnyInvocable<void()>> tasks;
    std::thread thread;
  };
  OneShard& At(ShardId id) { return *shards_[id.value()]; }

  void AtCut(const std::function<void(ShardId)>& each, absl::AnyInvocable<void()> done) {
    const auto together = std::make_shared<std::barrier<>>(static_cast<ptrdiff_t>(shards_.size()));
    const auto finish = std::make_shared<absl::AnyInvocable<void()>>(std::move(done));
    for (size_t i = 0; i < shards_.size(); ++i) {
      shards_[i]->Post([each, together, finish, i] {
        together->arrive_and_wait();
        each(ShardId(static_cast<uint16_t>(i)));
        together->arrive_and_wait();
        if (i == 0) (*finish)();
      });
    }
  }

  BacklogBudget budget_;
  std::vector<std::unique_ptr<OneShard>> shards_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_TEST_SHARDS_H_
