// What share of a trace's requests does a cache answer, under which policy?
//
//   hit_ratios [--keys=N] [--requests=N] [--share=PERCENT] [TEXT...]
//
// Prints a table of the models (cache_model.h) over the synthetic traces, and, if there are texts,
// over the word pairs of them all. The cache holds `share` percent of a trace's keys.

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "tools/traces/cache_model.h"
#include "tools/traces/trace.h"
#include "tools/traces/word_trace.h"

namespace tidemark::traces {
namespace {

struct Arguments {
  uint64_t keys = 100'000;
  uint64_t requests = 2'000'000;
  uint64_t share_percent = 10;
  std::vector<std::string> texts;
};

struct NamedTrace {
  std::string name;
  uint64_t keys;
  std::vector<KeyId> requests;
};

bool Parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto number = [&](std::string_view flag, uint64_t& value) {
      return argument.starts_with(flag) &&
             absl::SimpleAtoi(std::string(argument.substr(flag.size())), &value);
    };
    if (number("--keys=", arguments.keys) || number("--requests=", arguments.requests) ||
        number("--share=", arguments.share_percent)) {
      continue;
    }
    if (argument.starts_with("-")) return false;
    arguments.texts.emplace_back(argument);
  }
  return arguments.share_percent <= 100 && arguments.keys * arguments.share_percent / 100 >= 20;
}

std::vector<NamedTrace> Traces(const Arguments& arguments) {
  std::vector<NamedTrace> traces;
  for (const NamedKind& each : kSyntheticTraces) {
    const auto source = MakeSource({.kind = each.kind, .keys = arguments.keys, .seed = 1});
    traces.push_back({std::string(each.name), arguments.keys, Take(*source, arguments.requests)});
  }
  WordTrace words;
  for (const std::string& path : arguments.texts) {
    std::ifstream file(path, std::ios::binary);
    words.Read(std::string(std::istreambuf_iterator<char>(file), {}));
  }
  if (words.keys() > 0) traces.push_back({"words", words.keys(), words.requests()});
  return traces;
}

int Run(int argc, char** argv) {
  Arguments arguments;
  if (!Parse(argc, argv, arguments)) {
    fmt::print(stderr, "usage: hit_ratios [--keys=N] [--requests=N] [--share=PERCENT] [TEXT...]\n");
    return 2;
  }
  const std::vector<NamedTrace> traces = Traces(arguments);
  const auto capacity = [&](const NamedTrace& trace) {
    return trace.keys * arguments.share_percent / 100;
  };
  fmt::print("{:<10}", "policy");
  for (const NamedTrace& trace : traces) fmt::print("{:>8}", trace.name);
  fmt::print("\n{:<10}", "(best)");
  for (const NamedTrace& trace : traces) {
    fmt::print("{:>8.2f}", 100 * BestHitRatio(trace.requests, capacity(trace)));
  }
  for (const std::string_view name : kModelNames) {
    fmt::print("\n{:<10}", name);
    for (const NamedTrace& trace : traces) {
      fmt::print("{:>8.2f}", 100 * HitRatio(*MakeModel(name, capacity(trace)), trace.requests));
    }
    std::fflush(stdout);
  }
  fmt::print("\n");
  return 0;
}

}  // namespace
}  // namespace tidemark::traces

int main(int argc, char** argv) { return tidemark::traces::Run(argc, argv); }
