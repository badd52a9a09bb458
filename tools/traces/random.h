// Random is a small generator whose numbers depend on its seed alone: the standard library's
// distributions may differ from one library to the next, and a trace must not.
//
// The step is SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators",
// 2014).
//
// Threading: none of its own.

#ifndef TIDEMARK_TOOLS_TRACES_RANDOM_H_
#define TIDEMARK_TOOLS_TRACES_RANDOM_H_

#include <cstdint>

namespace tidemark::traces {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // From 0 to `bound` - 1, each as likely as the next but for 2^-64 of a difference. Requires:
  // bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

  // In [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_RANDOM_H_
