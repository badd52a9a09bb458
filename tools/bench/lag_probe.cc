// How long is a write on its way to a replica? Sets a key on the primary every few milliseconds,
// then asks the replica until it has the value. The time begins with the primary's answer. Until
// SIGTERM; then prints "p50 p99 max" in microseconds.
//
//   lag_probe PRIMARY_PORT REPLICA_PORT

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics/latency_histogram.h"
#include "tools/bench/probe.h"

namespace tidemark {
namespace {

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

Reply Command(const bench::Connection& connection, const std::string& command) {
  return Reply(static_cast<redisReply*>(redisCommand(connection.get(), command.c_str())),
               &freeReplyObject);
}

int Probe(int64_t primary_port, int64_t replica_port) {
  const bench::Connection primary = bench::Connect(primary_port);
  const bench::Connection replica = bench::Connect(replica_port);
  if (primary == nullptr || replica == nullptr) return 1;
  const Clock& clock = Clock::System();
  LatencyHistogram histogram;
  for (int64_t n = 1; !bench::Stopped(); ++n) {
    const std::string value = std::to_string(n);
    const Reply set = Command(primary, "SET lag:probe " + value);
    if (set == nullptr) return 1;
    const int64_t begin = clock.MonotonicNanos();
    while (!bench::Stopped()) {
      const Reply got = Command(replica, "GET lag:probe");
      if (got == nullptr) return 1;
      if (got->type == REDIS_REPLY_STRING && value == got->str) break;
    }
    if (!bench::Stopped()) histogram.Record(clock.MonotonicNanos() - begin);
    // So that the probe itself is no load.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  LatencySnapshot snapshot;
  histogram.AddTo(snapshot);
  fmt::print("{} {} {}\n", snapshot.PercentileNanos(50) / 1000, snapshot.PercentileNanos(99) / 1000,
             snapshot.max_nanos() / 1000);
  return 0;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  const std::vector<int64_t> numbers =
      tidemark::bench::Arguments(argc, argv, "lag_probe PRIMARY_PORT REPLICA_PORT");
  if (numbers.empty()) return 64;
  tidemark::bench::StopAtSigterm();
  return tidemark::Probe(numbers[0], numbers[1]);
}
