// What the probes of this directory share: whole numbers as arguments, a connection, and a run that
// SIGTERM ends.
//
//   const auto numbers = bench::Arguments(argc, argv, "a_probe PORT KEYS");
//   if (numbers.empty()) return 64;
//   bench::StopAtSigterm();
//   while (!bench::Stopped()) ...
//
// Threading: one thread.

#ifndef TIDEMARK_TOOLS_BENCH_PROBE_H_
#define TIDEMARK_TOOLS_BENCH_PROBE_H_

#include <hiredis/hiredis.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::bench {

// One whole number for each word of `usage` behind the program's name. Empty, and the usage is
// printed: they are fewer, more, or something else.
inline std::vector<int64_t> Arguments(int argc, char** argv, std::string_view usage) {
  std::vector<int64_t> numbers;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text(argv[i]);
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) numbers.push_back(number);
  }
  const auto wanted = static_cast<size_t>(std::count(usage.begin(), usage.end(), ' '));
  if (numbers.size() != wanted || static_cast<size_t>(argc) != wanted + 1) {
    std::fprintf(stderr, "usage: %s\n", std::string(usage).c_str());
    return {};
  }
  return numbers;
}

// Null: nobody answers there.
using Connection = std::unique_ptr<redisContext, decltype(&redisFree)>;
inline Connection Connect(int64_t port) {
  Connection connection(redisConnect("127.0.0.1", static_cast<int>(port)), &redisFree);
  if (connection != nullptr && connection->err != 0) connection.reset();
  return connection;
}

// A signal's handler reaches nothing else.
inline volatile sig_atomic_t g_stopped = 0;
inline bool Stopped() { return g_stopped != 0; }
inline void StopAtSigterm() {
  signal(SIGTERM, [](int) { g_stopped = 1; });
}

}  // namespace tidemark::bench

#endif  // TIDEMARK_TOOLS_BENCH_PROBE_H_
