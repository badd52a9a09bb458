#include "integration/simulation/shrinker.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "fmt/format.h"
#include "integration/simulation/cluster.h"

namespace tidemark::simulation {
namespace {

Scenario Only(const Scenario& scenario, const std::vector<size_t>& kept) {
  Scenario only{.seed = scenario.seed, .config = scenario.config, .steps = {}};
  for (const size_t step : kept) {
    if (step < scenario.steps.size()) only.steps.push_back(scenario.steps[step]);
  }
  return only;
}

}  // namespace

Shrunk Shrink(const Scenario& scenario, const RunScenario& run) {
  Shrunk best{.scenario = scenario, .kept = {}, .fault = run(scenario), .runs = 1};
  best.kept.resize(scenario.steps.size());
  std::iota(best.kept.begin(), best.kept.end(), size_t{0});
  if (best.fault.empty()) return best;
  size_t chunk = (best.kept.size() + 1) / 2;
  while (chunk > 0) {
    bool smaller = false;
    for (size_t begin = 0; begin < best.kept.size();) {
      std::vector<size_t> without = best.kept;
      const size_t end = std::min(begin + chunk, without.size());
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(begin),
                    without.begin() + static_cast<std::ptrdiff_t>(end));
      const Scenario tried = Only(scenario, without);
      ++best.runs;
      if (std::string fault = run(tried); !fault.empty()) {
        best.kept = std::move(without);
        best.fault = std::move(fault);
        best.scenario = tried;
        smaller = true;
      } else {
        begin += chunk;
      }
    }
    // What could not go before may be able to now: once more, at the finest.
    if (chunk > 1 || !smaller) chunk /= 2;
  }
  return best;
}

Shrunk Shrink(const Scenario& scenario) {
  return Shrink(scenario, [](const Scenario& tried) { return Cluster(tried, nullptr).Run(); });
}

std::string Shrunk::Text() const {
  if (fault.empty()) return "it does not fail";
  std::string text = fmt::format("{} steps are needed ({} runs):\n", kept.size(), runs);
  for (size_t i = 0; i < kept.size(); ++i) {
    text += fmt::format("{:>4} {}\n", kept[i], scenario.steps[i].Text());
  }
  return text + fmt::format(
                    "{}\nreplay: bazel run //integration/simulation:run -- --seed={} "
                    "--steps={}",
                    fault, scenario.seed, StepList(kept));
}

Scenario WithSteps(const Scenario& scenario, std::string_view list) {
  std::vector<size_t> kept;
  const std::string text(list);
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const size_t first = std::strtoull(at, &end, 10);
    size_t last = first;
    if (*end == '-') last = std::strtoull(end + 1, &end, 10);
    if (end == at) break;  // Not a number: what follows is left out.
    for (size_t step = first; step <= last && step < scenario.steps.size(); ++step) {
      kept.push_back(step);
    }
    at = *end == ',' ? end + 1 : end;
  }
  return Only(scenario, kept);
}

std::string StepList(const std::vector<size_t>& steps) {
  std::string list;
  for (size_t i = 0; i < steps.size();) {
    size_t last = i;
    while (last + 1 < steps.size() && steps[last + 1] == steps[last] + 1) ++last;
    if (!list.empty()) list += ",";
    list += last == i ? fmt::format("{}", steps[i]) : fmt::format("{}-{}", steps[i], steps[last]);
    i = last + 1;
  }
  return list;
}

}  // namespace tidemark::simulation
