// Shrink leaves out of a failing scenario what it does not need to fail.
//
// It tries to do without half of the steps, then quarters, and so on down to single ones (Zeller
// and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). Any fault counts:
// steps that are gone change the timing of all that follows.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_SHRINKER_H_
#define TIDEMARK_INTEGRATION_SIMULATION_SHRINKER_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "integration/simulation/scenario.h"

namespace tidemark::simulation {

struct Shrunk {
  Scenario scenario;
  std::vector<size_t> kept;  // Which steps of the original they are.
  std::string fault;         // Empty: the original does not fail.
  size_t runs = 0;

  // The steps, the fault, and the line that replays them.
  std::string Text() const;
};

// What goes wrong in a scenario; empty: nothing.
using RunScenario = std::function<std::string(const Scenario&)>;
Shrunk Shrink(const Scenario& scenario, const RunScenario& run);
Shrunk Shrink(const Scenario& scenario);  // Runs it in a Cluster.

// Only the steps of a list like "3,17,40-42", counted from 0.
Scenario WithSteps(const Scenario& scenario, std::string_view list);
std::string StepList(const std::vector<size_t>& steps);

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_SHRINKER_H_
