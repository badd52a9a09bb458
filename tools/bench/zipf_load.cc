// A mixed load of so many requests a second: GETs and SETs of keys by zipf 0.99, for so long; what
// is due every millisecond goes out in one pipeline. Falling behind it sends larger pipelines.
//
//   zipf_load PORT KEYS REQUESTS_A_SECOND READ_PERCENT VALUE_BYTES SECONDS
//
// Prints how many requests it sent in how many seconds, how many GETs found nothing, and how many
// replies were errors, the first of which is on stderr.

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "tools/traces/random.h"
#include "tools/traces/trace.h"

namespace tidemark::traces {
namespace {

constexpr int64_t kLargestPipeline = 1'024;

struct Load {
  int port = 0;
  uint64_t keys = 0;
  int64_t rate = 0;
  uint64_t read_percent = 0;
  size_t value_bytes = 0;
  int64_t seconds = 0;
};

int Run(const Load& load) {
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(
      redisConnect("127.0.0.1", load.port), &redisFree);
  if (context == nullptr || context->err != 0) return 1;
  const Clock& clock = Clock::System();
  const std::string value(load.value_bytes, 'y');
  const auto source = MakeSource({.kind = TraceKind::kZipf99, .keys = load.keys, .seed = 1});
  Random coin(2);
  const int64_t begin_ns = clock.MonotonicNanos();
  int64_t sent = 0, missing = 0, errors = 0;
  double passed_s = 0;
  for (; passed_s < static_cast<double>(load.seconds);
       passed_s = static_cast<double>(clock.MonotonicNanos() - begin_ns) / 1e9) {
    const auto due = static_cast<int64_t>(passed_s * static_cast<double>(load.rate)) - sent;
    const int64_t pipeline = std::clamp<int64_t>(due, 0, kLargestPipeline);
    for (int64_t i = 0; i < pipeline; ++i) {
      const std::string key = fmt::format("key:{:012}", source->Next());
      if (coin.Below(100) < load.read_percent) {
        redisAppendCommand(context.get(), "GET %b", key.data(), key.size());
      } else {
        redisAppendCommand(context.get(), "SET %b %b", key.data(), key.size(), value.data(),
                           value.size());
      }
    }
    for (int64_t i = 0; i < pipeline; ++i) {
      void* answer = nullptr;
      if (redisGetReply(context.get(), &answer) != REDIS_OK) return 1;
      const auto* const reply = static_cast<const redisReply*>(answer);
      missing += reply->type == REDIS_REPLY_NIL ? 1 : 0;
      if (reply->type == REDIS_REPLY_ERROR && ++errors == 1) {
        fmt::print(stderr, "zipf_load: {}\n", reply->str);
      }
      freeReplyObject(answer);
    }
    sent += pipeline;
    if (due < kLargestPipeline) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  fmt::print("{} {:.3f} {} {}\n", sent, passed_s, missing, errors);
  return 0;
}

}  // namespace
}  // namespace tidemark::traces

int main(int argc, char** argv) {
  if (argc != 7 || std::atoll(argv[2]) < 20) {
    std::fprintf(stderr,
                 "usage: zipf_load PORT KEYS REQUESTS_A_SECOND READ_PERCENT VALUE_BYTES SECONDS\n");
    return 64;
  }
  return tidemark::traces::Run({.port = std::atoi(argv[1]),
                                .keys = static_cast<uint64_t>(std::atoll(argv[2])),
                                .rate = std::atoll(argv[3]),
                                .read_percent = static_cast<uint64_t>(std::atoll(argv[4])),
                                .value_bytes = static_cast<size_t>(std::atoll(argv[5])),
                                .seconds = std::atoll(argv[6])});
}
