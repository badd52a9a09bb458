// How near a node is to its memory limit, in the words that operators are told: INFO, metrics,
// logs. What the node does about it is decided by PressureInput::kMemory (base/pressure_board.h),
// whose states begin where kCritical and kEmergency do.

#ifndef TIDEMARK_BASE_MEMORY_LEVEL_H_
#define TIDEMARK_BASE_MEMORY_LEVEL_H_

#include <cstdint>

namespace tidemark {

enum class MemoryLevel : uint8_t { kNormal, kWarning, kCritical, kEmergency };

// `percent` of the limit that is in use.
constexpr MemoryLevel MemoryLevelOf(int percent) {
  if (percent < 70) return MemoryLevel::kNormal;
  if (percent < 85) return MemoryLevel::kWarning;
  if (percent < 95) return MemoryLevel::kCritical;
  return MemoryLevel::kEmergency;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_MEMORY_LEVEL_H_
