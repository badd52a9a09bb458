#include "integration/harness/mixed_load.h"

#include <algorithm>
#include <sstream>

namespace tidemark::integration {
namespace {

constexpr int kPipeline = 64;
constexpr int kCommandsPerFlushAll = 4000;

bool IsExpected(const Reply& reply) {
  return !reply.is_error() || reply == Reply::Error("ERR no such key");
}

}  // namespace

std::vector<std::string> MixedLoad::NextCommand() {
  if (options_.flush_all && Draw(kCommandsPerFlushAll) == 0) return {"FLUSHALL"};
  switch (Draw(12)) {
    case 0:
    case 1:
      return {"SET", StringKey(), Value()};
    case 2:
      // Soon enough to expire while the test runs.
      return {"SET", StringKey(), Value(), "PX", std::to_string(1 + Draw(500))};
    case 3:
    case 4:
      return {"INCR", CounterKey()};
    case 5: {
      std::vector<std::string> command = {"MSET"};
      for (int i = 1 + Draw(8); i > 0; --i) {
        command.push_back(StringKey());
        command.push_back(Value());
      }
      return command;
    }
    case 6:
      return {"DEL", StringKey(), CounterKey()};
    case 7:
      return {"EXPIRE", StringKey(), "1000"};
    case 8:
      return {"PEXPIRE", CounterKey(), std::to_string(1 + Draw(500))};
    case 9:
      return {"PERSIST", StringKey()};
    case 10:
      return {"APPEND", StringKey(), Value()};
    default:
      return {"RENAME", StringKey(), StringKey()};
  }
}

std::string MixedLoad::Run(RedisClient& client, int commands) {
  while (commands > 0) {
    std::vector<std::vector<std::string>> sent;
    for (int i = std::min(commands, kPipeline); i > 0; --i) {
      sent.push_back(NextCommand());
      client.Queue(sent.back());
    }
    commands -= static_cast<int>(sent.size());
    const std::vector<Reply> replies = client.Flush();
    for (size_t i = 0; i < replies.size(); ++i) {
      if (IsExpected(replies[i])) continue;
      std::ostringstream fault;
      for (const std::string& argument : sent[i]) fault << argument << " ";
      fault << "was answered ";
      PrintTo(replies[i], &fault);
      return fault.str();
    }
  }
  return "";
}

BackgroundLoad::BackgroundLoad(int port, const MixedLoad::Options& options)
    : thread_([this, port, options] {
        RedisClient client(port);
        MixedLoad load(options);
        while (fault_.empty() && !stop_.load(std::memory_order_relaxed)) {
          fault_ = load.Run(client, kPipeline);
          commands_.fetch_add(kPipeline, std::memory_order_relaxed);
        }
      }) {}

std::string BackgroundLoad::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
  return fault_;
}

}  // namespace tidemark::integration
