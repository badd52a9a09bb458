// A load of so many SETs a second, and no more: what redis-benchmark cannot do. Sends what is due
// every millisecond in one pipeline, of random keys as redis-benchmark names them, until SIGTERM;
// then prints how many it sent in how many seconds. Falling behind it sends larger pipelines.
//
//   paced_load PORT KEYS SETS_A_SECOND VALUE_BYTES

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "base/clock.h"

namespace tidemark {
namespace {

constexpr int64_t kLargestPipeline = 4'096;

volatile sig_atomic_t g_stop = 0;

int Load(int port, int64_t keys, int64_t rate, size_t value_bytes) {
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(redisConnect("127.0.0.1", port),
                                                                    &redisFree);
  if (context == nullptr || context->err != 0) return 1;
  const Clock& clock = Clock::System();
  const std::string value(value_bytes, 'x');
  std::mt19937_64 random(1);
  const int64_t begin_ns = clock.MonotonicNanos();
  int64_t sent = 0;
  while (g_stop == 0) {
    const double seconds = static_cast<double>(clock.MonotonicNanos() - begin_ns) / 1e9;
    const auto due = static_cast<int64_t>(seconds * static_cast<double>(rate)) - sent;
    const int64_t pipeline = std::clamp<int64_t>(due, 0, kLargestPipeline);
    for (int64_t i = 0; i < pipeline; ++i) {
      const std::string key = fmt::format("key:{:012}", random() % static_cast<uint64_t>(keys));
      redisAppendCommand(context.get(), "SET %b %b", key.data(), key.size(), value.data(),
                         value.size());
    }
    for (int64_t i = 0; i < pipeline; ++i) {
      void* reply = nullptr;
      if (redisGetReply(context.get(), &reply) != REDIS_OK) return 1;
      freeReplyObject(reply);
    }
    sent += pipeline;
    if (due < kLargestPipeline) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  fmt::print("{} {:.3f}\n", sent, static_cast<double>(clock.MonotonicNanos() - begin_ns) / 1e9);
  return 0;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: paced_load PORT KEYS SETS_A_SECOND VALUE_BYTES\n");
    return 64;
  }
  signal(SIGTERM, [](int) { tidemark::g_stop = 1; });
  return tidemark::Load(std::atoi(argv[1]), std::atoll(argv[2]), std::atoll(argv[3]),
                        static_cast<size_t>(std::atoll(argv[4])));
}
