// Runs scenarios by hand: many, for a long run; or one, to see what a failing seed does.
//
//   bazel run --config=bench //integration/simulation:run -- --scenarios=100000
//   bazel run //integration/simulation:run -- --seed=4711             # One, with its trace.
//   bazel run //integration/simulation:run -- --seed=4711 --shrink    # What of it must be there.
//   bazel run //integration/simulation:run -- --seed=4711 --steps=3,17,40-42

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "integration/simulation/batch.h"
#include "integration/simulation/cluster.h"
#include "integration/simulation/scenario.h"
#include "integration/simulation/shrinker.h"

namespace tidemark::simulation {
namespace {

struct Arguments {
  uint64_t seed = 0;  // 0: many.
  uint64_t first = 1;
  uint64_t scenarios = 1'000;
  bool shrink = false;
  std::string steps;  // Empty: all.
};

// False: it is not one of ours.
bool Parse(std::string_view argument, Arguments* arguments) {
  const auto value_of = [&](std::string_view name) -> const char* {
    return argument.substr(0, name.size()) == name ? argument.data() + name.size() : nullptr;
  };
  if (const char* value = value_of("--seed=")) {
    arguments->seed = std::strtoull(value, nullptr, 10);
  } else if (const char* value = value_of("--first=")) {
    arguments->first = std::strtoull(value, nullptr, 10);
  } else if (const char* value = value_of("--scenarios=")) {
    arguments->scenarios = std::strtoull(value, nullptr, 10);
  } else if (const char* value = value_of("--steps=")) {
    arguments->steps = value;
  } else if (argument == "--shrink") {
    arguments->shrink = true;
  } else {
    return false;
  }
  return true;
}

int RunOne(const Arguments& arguments) {
  Scenario scenario = DrawScenario(arguments.seed);
  if (!arguments.steps.empty()) scenario = WithSteps(scenario, arguments.steps);
  if (arguments.shrink) {
    const Shrunk shrunk = Shrink(scenario);
    std::printf("%s\n", shrunk.Text().c_str());
    scenario = shrunk.scenario;
  }
  Cluster cluster(scenario, [](const std::string& line) { std::printf("%s\n", line.c_str()); });
  return cluster.Run().empty() ? 0 : 1;
}

int RunMany(const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  const BatchResult result = RunBatch(arguments.first, arguments.scenarios);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%s%.1f s, %.0f scenarios a minute\n", result.coverage.Report().c_str(), seconds,
              60.0 * static_cast<double>(result.coverage.scenarios()) / seconds);
  if (result.fault.empty()) return 0;
  std::printf("%s\n", result.FailureText().c_str());
  return 1;
}

}  // namespace
}  // namespace tidemark::simulation

int main(int argc, char** argv) {
  tidemark::simulation::Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    if (tidemark::simulation::Parse(argv[i], &arguments)) continue;
    std::fprintf(stderr, "unknown argument %s\n", argv[i]);
    return 2;
  }
  return arguments.seed != 0 ? tidemark::simulation::RunOne(arguments)
                             : tidemark::simulation::RunMany(arguments);
}
