#include "integration/simulation/batch.h"

#include "fmt/format.h"
#include "integration/simulation/cluster.h"
#include "integration/simulation/scenario.h"

namespace tidemark::simulation {

std::string BatchResult::FailureText() const {
  return fmt::format(
      "seed {}: {}\n"
      "replay: bazel run //integration/simulation:run -- --seed={}   (--shrink: what is needed)",
      failed_seed, fault, failed_seed);
}

BatchResult RunBatch(uint64_t first_seed, uint64_t scenarios) {
  BatchResult result;
  for (uint64_t seed = first_seed; seed < first_seed + scenarios; ++seed) {
    const Scenario scenario = DrawScenario(seed);
    Cluster cluster(scenario, nullptr);
    result.fault = cluster.Run();
    result.coverage.Add(cluster.situations());
    if (result.fault.empty()) continue;
    result.failed_seed = seed;
    return result;
  }
  return result;
}

}  // namespace tidemark::simulation
