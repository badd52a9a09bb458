// What does a key cost in resident memory, and how long does the slowest single call take, while a
// keyspace grows from nothing to KEYS keys (the first argument; default 5,000,000) of 16 bytes with
// values of 64, and is deleted again? Prints bytes, and nanoseconds of the thread's own time, the
// kernel's page faults included: what else the machine runs does not count.

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "cache/keyspace.h"

namespace tidemark::cache {
namespace {

size_t ResidentBytes() {
  size_t total_pages = 0;
  size_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  return resident_pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

int64_t ThreadNanos() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

template <typename Call>
int64_t NanosOf(Call&& call) {
  const int64_t start = ThreadNanos();
  call();
  return ThreadNanos() - start;
}

struct Timing {
  int64_t worst_ns = 0;
  int64_t total_ns = 0;
  int over_100us = 0;

  void Add(int64_t ns) {
    worst_ns = std::max(worst_ns, ns);
    total_ns += ns;
    over_100us += ns > 100'000;
  }
};

void Run(size_t keys) {
  const std::string value(64, 'v');
  const size_t resident_before = ResidentBytes();
  Keyspace keyspace({});
  Timing inserts;
  for (size_t n = 1; n <= keys; ++n) {
    const std::string name = fmt::format("key:{:012}", n);
    inserts.Add(NanosOf([&] { keyspace.Set(KeyRef::Of(name), value, kNoExpiry); }));
    if (n == keys || n % (keys / 10) == 0) {
      const auto count = static_cast<double>(n);
      fmt::print("{:>9} keys: resident {:6.1f}, memory_bytes {:6.1f}, table {:5.2f} bytes a key\n",
                 n, static_cast<double>(ResidentBytes() - resident_before) / count,
                 static_cast<double>(keyspace.memory_bytes()) / count,
                 static_cast<double>(keyspace.memory_bytes()) / count - AllocatedBytes(12 + 80));
    }
  }
  Timing deletes;
  for (size_t n = 1; n <= keys; ++n) {
    const std::string name = fmt::format("key:{:012}", n);
    deletes.Add(NanosOf([&] { keyspace.Delete(KeyRef::Of(name)); }));
  }
  Timing slices;
  bool more = true;
  while (more) slices.Add(NanosOf([&] { more = keyspace.Housekeeping(100); }));
  fmt::print("insert: {} ns on average, worst {} ns, {} over 100 us\n",
             inserts.total_ns / static_cast<int64_t>(keys), inserts.worst_ns, inserts.over_100us);
  fmt::print("delete: {} ns on average, worst {} ns\n",
             deletes.total_ns / static_cast<int64_t>(keys), deletes.worst_ns);
  fmt::print("shrink by slices of 100 merges: worst {} ns, {} ns in all; {} bytes left\n",
             slices.worst_ns, slices.total_ns, keyspace.memory_bytes());
}

}  // namespace
}  // namespace tidemark::cache

int main(int argc, char** argv) {
  const long long keys = argc > 1 ? std::atoll(argv[1]) : 5'000'000;
  if (keys < 10) {
    fmt::print(stderr, "usage: keyspace_memory_bench [KEYS]\n");
    return 64;
  }
  tidemark::cache::Run(static_cast<size_t>(keys));
}
