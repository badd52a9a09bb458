#include "integration/harness/known_values.h"

#include <algorithm>

namespace tidemark::integration {
namespace {

constexpr int64_t kPipeline = 64;

}  // namespace

std::string KnownValues::Value(int64_t number) const {
  // splitmix64: each byte of a value tells it from that of every other key.
  std::string value(value_bytes_, '\0');
  uint64_t state = static_cast<uint64_t>(number);
  for (size_t at = 0; at < value_bytes_; at += 8) {
    uint64_t word = state += 0x9e3779b97f4a7c15;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    word ^= word >> 31;
    for (size_t i = at; i < std::min(at + 8, value_bytes_); ++i, word >>= 8) {
      value[i] = static_cast<char>(word);
    }
  }
  return value;
}

int64_t KnownValues::Answers::refused() const {
  int64_t sum = 0;
  for (const auto& [text, count] : errors) sum += count;
  return sum;
}

KnownValues::Answers KnownValues::Write(RedisClient& client, int64_t begin, int64_t end) const {
  Answers answers;
  for (int64_t next = begin; next < end;) {
    for (const int64_t stop = std::min(end, next + kPipeline); next < stop; ++next) {
      client.Queue({"SET", Key(next), Value(next)});
    }
    for (const Reply& reply : client.Flush()) {
      reply == Reply::Status("OK") ? ++answers.ok : ++answers.errors[reply.text];
    }
  }
  return answers;
}

std::vector<KnownValues::Finding> KnownValues::Wrong(RedisClient& client, int64_t begin,
                                                     int64_t end, int64_t stride) const {
  std::vector<Finding> wrong;
  std::vector<int64_t> asked;
  const auto collect = [&] {
    const std::vector<Reply> replies = client.Flush();
    for (size_t i = 0; i < replies.size(); ++i) {
      if (replies[i] == Reply::String(Value(asked[i]))) continue;
      wrong.push_back({.number = asked[i], .reply = replies[i]});
    }
    asked.clear();
  };
  for (int64_t number = begin; number < end; number += stride) {
    client.Queue({"GET", Key(number)});
    asked.push_back(number);
    if (std::ssize(asked) == kPipeline) collect();
  }
  collect();
  return wrong;
}

void PrintTo(const KnownValues::Answers& answers, std::ostream* out) {
  *out << answers.ok << " OK";
  for (const auto& [text, count] : answers.errors) *out << ", " << count << " x " << text;
}

void PrintTo(const KnownValues::Finding& finding, std::ostream* out) {
  *out << finding.number << ": " << finding.reply.text.substr(0, 80) << " ("
       << finding.reply.text.size() << " bytes)";
}

}  // namespace tidemark::integration
