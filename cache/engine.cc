#include "cache/engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/thread_name.h"
#include "cache/multi_shard.h"

namespace tidemark::cache {

Engine::Engine(Options options)
    : commands_(options.commands),
      memory_budget_(options.shard_count),
      busy_shards_(options.shard_count) {
  CHECK(options.shard_count >= 1 && options.shard_count <= kMaxShards);
  if (commands_ == nullptr) {
    data_commands_.Add(CommandTable::DataCommands());
    commands_ = &data_commands_;
  }
  for (int i = 0; i < options.shard_count; ++i) {
    const ShardId id(static_cast<uint16_t>(i));
    Shard::Options shard;
    shard.reactor = options.make_reactor ? options.make_reactor(id) : MakeEventReactor();
    shard.sink = options.sink_of ? options.sink_of(id) : nullptr;
    shard.effects_only = options.effects_only;
    shard.clock = options.clock;
    shard.memory_budget = &memory_budget_;
    shard.command_count = commands_->size();
    shard.shard_count = options.shard_count;
    shard.spin_limit = options.spin_limit;
    shard.park_timeout_ms = options.park_timeout_ms;
    shard.tick_ms = options.tick_ms;
    shard.mesh_ring_messages = options.mesh_ring_messages;
    shard.mesh_spill_bytes = options.mesh_spill_bytes;
    shards_.push_back(std::make_unique<Shard>(*this, id, std::move(shard)));
  }
  for (auto& from : shards_) {
    for (auto& to : shards_) {
      if (from != to) from->mesh().Connect(to->id(), to->mesh());
    }
  }
}

Engine::~Engine() { Stop(); }

void Engine::Start() {
  CHECK(threads_.empty() && !stopping());
  for (auto& shard : shards_) {
    threads_.emplace_back([&shard = *shard] {
      NameThread(absl::StrCat("shard ", shard.id().value()));
      shard.Loop();
    });
  }
}

void Engine::Stop() {
  stopping_.store(true, std::memory_order_release);
  for (std::thread& thread : threads_) {
    if (!thread.joinable()) continue;
    // A shard that parks anew without seeing the flag is woken by its timeout at the latest.
    for (auto& shard : shards_) shard->reactor().Wake();
    thread.join();
  }
}

void Engine::LimitMemory(size_t limit_bytes, EvictionOptions options) {
  options.limited = limit_bytes != MemoryBudget::kUnlimited;
  memory_budget_.set_limit_bytes(limit_bytes);
  for (auto& shard : shards_) {
    shard->Post([options](Shard& here) { here.SetEviction(options); });
  }
}

bool Engine::AddBusyShard() {
  int busy = busy_shards_.load(std::memory_order_acquire);
  while (busy != 0) {
    if (busy_shards_.compare_exchange_weak(busy, busy + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void Engine::Post(ShardId shard, absl::AnyInvocable<void(Shard&)> task) {
  this->shard(shard).Post(std::move(task));
}

void Engine::PostToAll(ShardId home, std::function<void(Shard&)> each,
                       absl::AnyInvocable<void(Shard&)> done) {
  struct Round {
    std::function<void(Shard&)> each;
    absl::AnyInvocable<void(Shard&)> done;
    std::atomic<size_t> left;
  };
  // Shared, since the last shard to finish differs from round to round.
  auto round = std::make_shared<Round>();
  round->each = std::move(each);
  round->done = std::move(done);
  round->left.store(shards_.size(), std::memory_order_relaxed);
  for (auto& shard : shards_) {
    shard->Post([this, home, round](Shard& here) {
      round->each(here);
      if (round->left.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
      Post(home, [round](Shard& there) { round->done(there); });
    });
  }
}

void Engine::RunAtCut(ShardId home, std::function<void(Shard&)> each,
                      absl::AnyInvocable<void(Shard&)> done) {
  Post(home, [each = std::move(each), done = std::move(done)](Shard& origin) mutable {
    (new CutTransaction(origin, std::move(each), std::move(done)))->Start();
  });
}

}  // namespace tidemark::cache
