#include "base/log/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>

namespace tidemark {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Lives until the process ends: threads may log while statics are destroyed.
spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("tidemark", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L %t %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte != 0x7F;
}

std::string Escaped(std::string_view message) {
  std::string escaped;
  for (char c : message) {
    if (IsPlain(c)) {
      escaped.push_back(c);
    } else {
      escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

}  // namespace

void SetLogLevel(LogLevel least) { Logger().set_level(ToSpdlog(least)); }

bool LogEnabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void Log(LogLevel level, std::string_view message) {
  if (!LogEnabled(level)) return;
  if (std::all_of(message.begin(), message.end(), IsPlain)) {
    Logger().log(ToSpdlog(level), spdlog::string_view_t(message.data(), message.size()));
  } else {
    const std::string escaped = Escaped(message);
    Logger().log(ToSpdlog(level), spdlog::string_view_t(escaped.data(), escaped.size()));
  }
}

LogRateLimiter::Decision LogRateLimiter::Allow(int64_t now_ns) {
  int64_t next = next_ns_.load(std::memory_order_relaxed);
  // Of two threads that find the interval over, the exchange lets one write.
  if (now_ns < next ||
      !next_ns_.compare_exchange_strong(next, now_ns + interval_ns_, std::memory_order_relaxed)) {
    held_back_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  return {.write = true, .held_back = held_back_.exchange(0, std::memory_order_relaxed)};
}

}  // namespace tidemark
