#include "integration/harness/roving_writers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "integration/harness/redis_client.h"

namespace tidemark::integration {
namespace {

using std::chrono::steady_clock;

std::string Key(size_t writer, int64_t i) { return fmt::format("w{}:{}", writer, i); }

}  // namespace

RovingWriters::RovingWriters(std::vector<int> ports, int writers) : ports_(std::move(ports)) {
  for (int w = 0; w < writers; ++w) writers_.push_back(std::make_unique<Writer>());
  for (size_t w = 0; w < writers_.size(); ++w) {
    writers_[w]->thread = std::thread([this, w] { Write(w, *writers_[w]); });
  }
}

void RovingWriters::Stop() {
  stop_ = true;
  for (auto& writer : writers_) {
    if (writer->thread.joinable()) writer->thread.join();
  }
}

int64_t RovingWriters::acknowledged() const {
  int64_t sum = 0;
  for (const auto& writer : writers_) sum += writer->acknowledged.load();
  return sum;
}

int64_t RovingWriters::LongestGapMs() const {
  int64_t longest = 0;
  for (const auto& writer : writers_) longest = std::max(longest, writer->longest_gap_ms);
  return longest;
}

int64_t RovingWriters::Missing(Node& node) const {
  int64_t missing = 0;
  RedisClient client = node.Connect();
  for (size_t w = 0; w < writers_.size(); ++w) {
    const int64_t count = writers_[w]->acknowledged.load();
    for (int64_t i = 0; i < count; i += 500) {
      const int64_t end = std::min(count, i + 500);
      for (int64_t k = i; k < end; ++k) client.Queue({"EXISTS", Key(w, k)});
      for (const Reply& reply : client.Flush()) missing += reply.integer == 1 ? 0 : 1;
    }
  }
  return missing;
}

std::string RovingWriters::Faults() const {
  std::string faults;
  for (const auto& writer : writers_) faults += writer->fault;
  return faults;
}

void RovingWriters::Write(size_t w, Writer& writer) {
  size_t at = 0;
  RedisClient client(ports_[at]);
  steady_clock::time_point last = steady_clock::now();
  while (!stop_) {
    const int64_t i = writer.acknowledged.load();
    const Reply reply = client.Do({"SET", Key(w, i), std::to_string(i)});
    if (reply == Reply::Status("OK")) {
      const auto now = steady_clock::now();
      writer.longest_gap_ms = std::max<int64_t>(
          writer.longest_gap_ms, std::chrono::duration_cast<Duration>(now - last).count());
      last = now;
      writer.acknowledged.store(i + 1);
      continue;
    }
    if (reply.text.rfind("READONLY", 0) != 0) {
      writer.fault = fmt::format("writer {} was answered {}; ", w, reply.text);
      return;
    }
    at = (at + 1) % ports_.size();
    client = RedisClient(ports_[at]);
  }
}

}  // namespace tidemark::integration
