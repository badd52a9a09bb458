// What does one client feel? Sends one GET after the other, of random keys, until it is told to
// stop by SIGTERM; then prints "p50 p99 max p99.9" in microseconds. PINGs if there are no keys.
//
//   latency_probe PORT KEYS

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics/latency_histogram.h"
#include "tools/bench/probe.h"

namespace tidemark {
namespace {

int Probe(int64_t port, int64_t keys) {
  const bench::Connection connection = bench::Connect(port);
  if (connection == nullptr) return 1;
  const Clock& clock = Clock::System();
  std::mt19937_64 random(1);
  LatencyHistogram histogram;
  while (!bench::Stopped()) {
    const std::string key =
        keys == 0 ? "" : fmt::format("key:{:012}", random() % static_cast<uint64_t>(keys));
    const int64_t begin = clock.MonotonicNanos();
    void* reply = keys == 0 ? redisCommand(connection.get(), "PING")
                            : redisCommand(connection.get(), "GET %s", key.c_str());
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
  const std::vector<int64_t> numbers =
      tidemark::bench::Arguments(argc, argv, "latency_probe PORT KEYS");
  if (numbers.empty()) return 64;
  tidemark::bench::StopAtSigterm();
  return tidemark::Probe(numbers[0], numbers[1]);
}
