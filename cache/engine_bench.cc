// What do Session and Shard add to a command on its own shard: dispatch, timing, counters, slow
// log? Unit: ns per command. The command does nothing, so what is measured is the way to it. For
// instructions run it under callgrind.

#include <memory>
#include <string_view>
#include <vector>

#include "base/key_hash.h"
#include "benchmark/benchmark.h"
#include "cache/engine.h"
#include "cache/reply_tape.h"
#include "cache/session.h"

namespace tidemark::cache {
namespace {

void DoNothing(CommandContext&, Args, ReplyBuilder&) {}

struct Deaf final : SessionObserver {
  void OnReplies() override {}
};

void BM_DispatchHere(benchmark::State& state) {
  CommandTable table;
  const CommandSpec spec{
      .name = "noop", .arity = 2, .flags = kReadOnly, .keys = {1, 1, 1}, .handler = DoNothing};
  table.Add(std::span(&spec, 1));
  Engine::Options options;
  options.shard_count = static_cast<int>(state.range(0));
  options.commands = &table;
  Engine engine(std::move(options));  // Not started: this thread is the shard's.
  std::string key = "key:0";
  while (engine.OwnerOf(key, KeyHash(key)) != ShardId(0)) ++key.back();
  Shard& shard = engine.shard(ShardId(0));
  ReplyTape tape;
  Deaf observer;
  Session session(shard, tape, observer);
  const CommandSpec& noop = *table.Find("noop");
  const std::vector<std::string_view> args = {"noop", key};
  const uint64_t hash = KeyHash(key);
  shard.StartTiming();
  for (auto _ : state) session.Dispatch(noop, args, hash);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DispatchHere)->ArgName("shards")->Arg(1)->Arg(4);

}  // namespace
}  // namespace tidemark::cache
