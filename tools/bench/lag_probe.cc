// How long is a write on its way to a replica? Sets a key on the primary every few milliseconds,
// then asks the replica until it has the value. The time begins with the primary's answer. Until
// SIGTERM; then prints "p50 p99 max" in microseconds.
//
//   lag_probe PRIMARY_PORT REPLICA_PORT

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/metrics/latency_histogram.h"

namespace tidemark {
namespace {

volatile sig_atomic_t g_stop = 0;

using Context = std::unique_ptr<redisContext, decltype(&redisFree)>;
using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

Context Connect(int port) { return Context(redisConnect("127.0.0.1", port), &redisFree); }

Reply Command(const Context& context, const std::string& command) {
  return Reply(static_cast<redisReply*>(redisCommand(context.get(), command.c_str())),
               &freeReplyObject);
}

int Probe(int primary_port, int replica_port) {
  const Context primary = Connect(primary_port);
  const Context replica = Connect(replica_port);
  if (primary == nullptr || primary->err != 0 || replica == nullptr || replica->err != 0) return 1;
  const Clock& clock = Clock::System();
  LatencyHistogram histogram;
  for (int64_t n = 1; g_stop == 0; ++n) {
    const std::string value = std::to_string(n);
    const Reply set = Command(primary, "SET lag:probe " + value);
    if (set == nullptr) return 1;
    const int64_t begin = clock.MonotonicNanos();
    while (g_stop == 0) {
      const Reply got = Command(replica, "GET lag:probe");
      if (got == nullptr) return 1;
      if (got->type == REDIS_REPLY_STRING && value == got->str) break;
    }
    if (g_stop == 0) histogram.Record(clock.MonotonicNanos() - begin);
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
  if (argc != 3) {
    std::fprintf(stderr, "usage: lag_probe PRIMARY_PORT REPLICA_PORT\n");
    return 64;
  }
  signal(SIGTERM, [](int) { tidemark::g_stop = 1; });
  return tidemark::Probe(std::atoi(argv[1]), std::atoi(argv[2]));
}
