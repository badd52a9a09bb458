// Question: what does it cost to cut a pipeline into commands? Unit: time of one command.

#include <benchmark/benchmark.h>

#include <string>

#include "net/resp_parser.h"

namespace tidemark::net {
namespace {

void ParsePipeline(benchmark::State& state, const std::string& command) {
  std::string input;
  for (size_t i = 0; i < CommandBatch::kMaxCommands; ++i) input += command;
  RespParser parser;
  CommandBatch batch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.Parse(input, {}, batch));
    benchmark::DoNotOptimize(batch.commands().data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(CommandBatch::kMaxCommands));
}

void BM_Get(benchmark::State& state) {
  ParsePipeline(state, "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000042\r\n");
}
BENCHMARK(BM_Get);

void BM_Set(benchmark::State& state) {
  ParsePipeline(state, "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$64\r\n" +
                           std::string(64, 'v') + "\r\n");
}
BENCHMARK(BM_Set);

void BM_Inline(benchmark::State& state) { ParsePipeline(state, "GET key:000000000042\r\n"); }
BENCHMARK(BM_Inline);

}  // namespace
}  // namespace tidemark::net
