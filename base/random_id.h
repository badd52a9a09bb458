// RandomId draws the ids that no two machines may share: of histories and data directories.
//
// Threading: any thread.

#ifndef TIDEMARK_BASE_RANDOM_ID_H_
#define TIDEMARK_BASE_RANDOM_ID_H_

#include <cstdint>
#include <random>

namespace tidemark {

// From the system's own source, and never 0, which means "none".
inline uint64_t RandomId() {
  std::random_device random;
  uint64_t id = 0;
  while (id == 0) id = (uint64_t{random()} << 32) | random();
  return id;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_RANDOM_ID_H_
