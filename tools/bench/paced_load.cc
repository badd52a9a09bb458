// A load of so many SETs a second, and no more: what redis-benchmark cannot do. Sends what is due
// five times a millisecond in one pipeline, of random keys as redis-benchmark names them, until
// SIGTERM; then prints how many it sent in how many seconds. Falling behind it sends larger
// pipelines.
//
// It shares a core with what is measured, so it must be cheap: requests are a template whose digits
// change, and of replies only the bytes are counted.
//
//   paced_load PORT KEYS SETS_A_SECOND VALUE_BYTES

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "tools/bench/probe.h"

namespace tidemark {
namespace {

constexpr int64_t kLargestPipeline = 4'096;
constexpr auto kPause = std::chrono::microseconds(200);
constexpr std::string_view kOk = "+OK\r\n";

// The requests of one pipeline, one after the other in memory, with keys of one's choice.
class Requests {
 public:
  explicit Requests(size_t value_bytes) {
    constexpr std::string_view kBefore = "*3\r\n$3\r\nSET\r\n$16\r\nkey:";
    const std::string request = fmt::format("{}{:012}\r\n${}\r\n{}\r\n", kBefore, 0, value_bytes,
                                            std::string(value_bytes, 'x'));
    digits_at_ = kBefore.size();
    request_bytes_ = request.size();
    for (int64_t i = 0; i < kLargestPipeline; ++i) text_ += request;
  }

  void SetKey(int64_t request, uint64_t key) {
    char* digits = text_.data() + static_cast<size_t>(request) * request_bytes_ + digits_at_;
    for (int i = 11; i >= 0; --i, key /= 10) digits[i] = static_cast<char>('0' + key % 10);
  }
  std::string_view First(int64_t requests) const {
    return std::string_view(text_).substr(0, static_cast<size_t>(requests) * request_bytes_);
  }

 private:
  std::string text_;
  size_t digits_at_;
  size_t request_bytes_;
};

bool Send(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// False if a reply is anything but OK: they then have another length.
bool AwaitReplies(int fd, int64_t replies) {
  std::array<char, 4096> buffer;
  for (auto left = static_cast<ssize_t>(kOk.size()) * replies; left > 0;) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0 || got > left || buffer[0] == '-') return false;
    left -= got;
  }
  return true;
}

int Load(int64_t port, int64_t keys, int64_t rate, size_t value_bytes) {
  const bench::Connection connection = bench::Connect(port);
  if (connection == nullptr) return 1;
  const int fd = connection->fd;
  const Clock& clock = Clock::System();
  Requests requests(value_bytes);
  std::mt19937_64 random(1);
  const int64_t begin_ns = clock.MonotonicNanos();
  int64_t sent = 0;
  while (!bench::Stopped()) {
    const double seconds = static_cast<double>(clock.MonotonicNanos() - begin_ns) / 1e9;
    const auto due = static_cast<int64_t>(seconds * static_cast<double>(rate)) - sent;
    const int64_t pipeline = std::clamp<int64_t>(due, 0, kLargestPipeline);
    for (int64_t i = 0; i < pipeline; ++i) {
      requests.SetKey(i, random() % static_cast<uint64_t>(keys));
    }
    if (!Send(fd, requests.First(pipeline)) || !AwaitReplies(fd, pipeline)) {
      std::fprintf(stderr, "paced_load: a write was not answered with OK\n");
      return 1;
    }
    sent += pipeline;
    if (due < kLargestPipeline) std::this_thread::sleep_for(kPause);
  }
  fmt::print("{} {:.3f}\n", sent, static_cast<double>(clock.MonotonicNanos() - begin_ns) / 1e9);
  return 0;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  const std::vector<int64_t> numbers =
      tidemark::bench::Arguments(argc, argv, "paced_load PORT KEYS SETS_A_SECOND VALUE_BYTES");
  if (numbers.empty()) return 64;
  tidemark::bench::StopAtSigterm();
  return tidemark::Load(numbers[0], numbers[1], numbers[2], static_cast<size_t>(numbers[3]));
}
