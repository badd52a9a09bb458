// RunBatch runs the scenarios of consecutive seeds and stops at the first that fails.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_BATCH_H_
#define TIDEMARK_INTEGRATION_SIMULATION_BATCH_H_

#include <cstdint>
#include <string>

#include "integration/simulation/coverage.h"

namespace tidemark::simulation {

struct BatchResult {
  Coverage coverage;
  uint64_t failed_seed = 0;
  std::string fault;  // Empty: none.

  // What went wrong, and the line that replays it.
  std::string FailureText() const;
};

BatchResult RunBatch(uint64_t first_seed, uint64_t scenarios);

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_BATCH_H_
