// What does a command cost, in ns, from its name to its reply: lookup in the table and handler, on
// a keyspace of 1,000 keys that stays in the cache? Parsing, sockets and hashing the key are not in
// it.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "cache/command.h"
#include "cache/keyspace.h"

namespace tidemark::cache {
namespace {

class NullReply final : public ReplyBuilder {
 public:
  void Status(std::string_view text) override { benchmark::DoNotOptimize(text); }
  void Error(std::string_view text) override { benchmark::DoNotOptimize(text); }
  void Integer(int64_t value) override { benchmark::DoNotOptimize(value); }
  void Bulk(std::string_view bytes) override { benchmark::DoNotOptimize(bytes); }
  void BulkRef(const BufferRef&, std::string_view bytes) override {
    benchmark::DoNotOptimize(bytes);
  }
  void Null() override {}
  void NullArray() override {}
  void Double(double) override {}
  void Boolean(bool) override {}
  void Verbatim(std::string_view, std::string_view) override {}
  void ArrayHeader(size_t) override {}
  void MapHeader(size_t) override {}
  void SetHeader(size_t) override {}
};

void RunCommand(benchmark::State& state, const std::vector<std::string_view>& command) {
  constexpr int kKeys = 1000;
  CommandTable table;
  table.Add(CommandTable::DataCommands());
  Keyspace keyspace(Keyspace::Options{});
  std::vector<std::string> keys;
  std::vector<uint64_t> hashes;
  for (int i = 0; i < kKeys; ++i) {
    keys.push_back("key:" + std::to_string(i));
    hashes.push_back(KeyHash(keys.back()));
    keyspace.Set({keys.back(), hashes.back()}, "12345", kNoExpiry);
  }
  std::vector<std::string_view> args = command;
  NullReply reply;
  size_t i = 0;
  for (auto _ : state) {
    i = i + 1 < kKeys ? i + 1 : 0;
    args[1] = keys[i];
    const CommandSpec* spec = table.Find(args[0]);
    CommandContext context{.keyspace = keyspace, .spec = *spec, .key_hash = hashes[i]};
    spec->handler(context, args, reply);
  }
}

BENCHMARK_CAPTURE(RunCommand, Get, {"GET", ""});
BENCHMARK_CAPTURE(RunCommand, Set, {"SET", "", "67890"});
BENCHMARK_CAPTURE(RunCommand, SetWithExpiry, {"SET", "", "67890", "EX", "100"});
BENCHMARK_CAPTURE(RunCommand, Incr, {"INCR", ""});
BENCHMARK_CAPTURE(RunCommand, Exists, {"EXISTS", ""});

void FindCommand(benchmark::State& state) {
  CommandTable table;
  table.Add(CommandTable::DataCommands());
  std::string name = "INCRBYFLOAT";
  for (auto _ : state) {
    benchmark::DoNotOptimize(name);
    benchmark::DoNotOptimize(table.Find(name));
  }
}
BENCHMARK(FindCommand);

}  // namespace
}  // namespace tidemark::cache
