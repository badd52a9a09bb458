#include "base/parking.h"

#include <sched.h>

#include <algorithm>

namespace tidemark {

int UsableCores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  // Fails only on a machine with more cores than the set has bits: there is no shortage of them
  // then.
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) return CPU_SETSIZE;
  return std::max(1, CPU_COUNT(&cores));
}

}  // namespace tidemark
