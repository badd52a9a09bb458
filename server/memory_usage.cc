#include "server/memory_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

// Present only where the binary links jemalloc: sanitizers bring their own allocator.
extern "C" {
__attribute__((weak)) int mallctl(const char* name, void* old_value, size_t* old_size,
                                  void* new_value, size_t new_size);
__attribute__((weak)) void malloc_stats_print(void (*write)(void*, const char*), void* opaque,
                                              const char* options);
}

namespace tidemark::server {
namespace {

// jemalloc's figures stand still until the epoch is moved.
void RefreshAllocatorFigures() {
  if (mallctl == nullptr) return;
  uint64_t epoch = 1;
  size_t size = sizeof(epoch);
  mallctl("epoch", &epoch, &size, &epoch, size);
}

// `otherwise` if there is no such figure.
uint64_t AllocatorFigure(const char* name, uint64_t otherwise) {
  size_t figure = 0;
  size_t size = sizeof(figure);
  if (mallctl == nullptr || mallctl(name, &figure, &size, nullptr, 0) != 0) return otherwise;
  return figure;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessUsage MeasureProcess() {
  ProcessUsage usage;
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  usage.rss_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));

  rusage self{};
  getrusage(RUSAGE_SELF, &self);
  usage.peak_rss_bytes = static_cast<uint64_t>(self.ru_maxrss) * 1024;
  usage.cpu_user_s = Seconds(self.ru_utime);
  usage.cpu_system_s = Seconds(self.ru_stime);

  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);
  usage.cpu_children_user_s = Seconds(children.ru_utime);
  usage.cpu_children_system_s = Seconds(children.ru_stime);

  RefreshAllocatorFigures();
  usage.has_allocator = mallctl != nullptr;
  usage.allocated_bytes = AllocatorFigure("stats.allocated", usage.rss_bytes);
  usage.allocator_active_bytes = AllocatorFigure("stats.active", usage.rss_bytes);
  usage.allocator_resident_bytes = AllocatorFigure("stats.resident", usage.rss_bytes);
  return usage;
}

uint64_t SystemMemoryBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void PurgeAllocator() {
  // 4096 is MALLCTL_ARENAS_ALL of jemalloc 5.
  if (mallctl != nullptr) mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
}

std::string AllocatorReport() {
  if (malloc_stats_print == nullptr) return "The allocator of this build keeps no statistics.\n";
  std::string report;
  malloc_stats_print([](void* out, const char* text) { *static_cast<std::string*>(out) += text; },
                     &report, "gmdablxe");
  return report;
}

}  // namespace tidemark::server
