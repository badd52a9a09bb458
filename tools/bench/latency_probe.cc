// What does one client feel? Sends one GET after the other, of random keys, until it is told to
// stop by SIGTERM; then prints "p50 p99 max p99.9" in microseconds. PINGs if there are no keys.
//
//   latency_probe PORT KEYS

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

#include "base/clock.h"
#include "base/metrics/latency_histogram.h"

namespace tidemark {
namespace {

volatile sig_atomic_t g_stop = 0;

int Probe(int port, int64_t keys) {
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(redisConnect("127.0.0.1", port),
                                                                    &redisFree);
  if (context == nullptr || context->err != 0) return 1;
  const Clock& clock = Clock::System();
  std::mt19937_64 random(1);
  LatencyHistogram histogram;
  while (g_stop == 0) {
    const std::string key =
        keys == 0 ? "" : fmt::format("key:{:012}", random() % static_cast<uint64_t>(keys));
    const int64_t begin = clock.MonotonicNanos();
    void* reply = keys == 0 ? redisCommand(context.get(), "PING")
                            : redisCommand(context.get(), "GET %s", key.c_str());
    if (reply == nullptr) return 1;
    histogram.Record(clock.MonotonicNanos() - begin);
    freeReplyObject(reply);
  }
  LatencySnapshot snapshot;
  histogram.AddTo(snapshot);
  fmt::print("{} {} {} {}\n", snapshot.PercentileNanos(50) / 1000,
             snapshot.PercentileNanos(99) / 1000, snapshot.max_nanos() / 1000,
             snapshot.PercentileNanos(99.9) / 1000);
  return 0;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: latency_probe PORT KEYS\n");
    return 64;
  }
  signal(SIGTERM, [](int) { tidemark::g_stop = 1; });
  return tidemark::Probe(std::atoi(argv[1]), std::atoll(argv[2]));
}
