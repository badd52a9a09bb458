// What the process takes from the system and from its allocator.

#ifndef TIDEMARK_SERVER_MEMORY_USAGE_H_
#define TIDEMARK_SERVER_MEMORY_USAGE_H_

#include <cstdint>
#include <string>

namespace tidemark::server {

struct ProcessUsage {
  uint64_t rss_bytes = 0;
  uint64_t peak_rss_bytes = 0;
  // By the allocator's account: given out, in pages that hold any of that, and in pages that it has
  // not given back. The resident size where it keeps no account.
  bool has_allocator = false;  // It keeps an account.
  uint64_t allocated_bytes = 0;
  uint64_t allocator_active_bytes = 0;
  uint64_t allocator_resident_bytes = 0;
  double cpu_system_s = 0;
  double cpu_user_s = 0;
  double cpu_children_system_s = 0;
  double cpu_children_user_s = 0;
};

ProcessUsage MeasureProcess();
uint64_t SystemMemoryBytes();

// Gives unused pages back to the system.
void PurgeAllocator();
// The allocator's own report, for a person to read.
std::string AllocatorReport();

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_MEMORY_USAGE_H_
