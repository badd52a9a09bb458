#include "integration/harness/resp_text.h"

#include <charconv>
#include <cstdint>

#include "cache/commands/recorded_reply.h"

namespace tidemark::integration {
namespace {

// Deeper is no reply of ours, and each level is a call.
constexpr int kMaxDepth = 32;

// One attempt at one reply. `failed` says that the bytes are no reply; nothing else, that more must
// come.
class Attempt {
 public:
  explicit Attempt(std::string_view input) : rest_(input) {}

  std::optional<std::string> Take(int depth = 0) {
    const std::optional<std::string_view> line = TakeLine();
    if (!line) return std::nullopt;
    if (line->empty() || depth > kMaxDepth) return Fail();
    const std::string_view body = line->substr(1);
    switch (line->front()) {
      case '+':
      case '-':
      case ':':
      case ',':
      case '#':
      case '(':
        return std::string(*line);
      case '_':
        return "_";
      case '$':
        return TakeBulk(body, "");
      case '=':
        return TakeBulk(body, "=");
      case '!':
        return TakeBulk(body, "!");
      case '*':
        return TakeMany(body, "[", "]", depth);
      case '~':
        return TakeMany(body, "~[", "]", depth);
      case '>':
        return TakeMany(body, ">[", "]", depth);
      case '%':
        return TakeMany(body, "{", "}", depth);
      case '|': {  // And the reply that it is about.
        const std::optional<std::string> attribute = TakeMany(body, "{", "}", depth);
        if (!attribute) return std::nullopt;
        const std::optional<std::string> reply = Take(depth + 1);
        if (!reply) return std::nullopt;
        return "|" + *attribute + " " + *reply;
      }
      default:
        return Fail();
    }
  }

  bool failed() const { return failed_; }
  std::string_view rest() const { return rest_; }

 private:
  std::nullopt_t Fail() {
    failed_ = true;
    return std::nullopt;
  }

  std::optional<std::string_view> TakeLine() {
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return line;
  }

  std::optional<int64_t> Number(std::string_view text) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return Fail();
    return number;
  }

  std::optional<std::string> TakeBulk(std::string_view length, std::string_view mark) {
    const std::optional<int64_t> size = Number(length);
    if (!size) return std::nullopt;
    if (*size == -1) return "$nil";
    if (*size < 0) return Fail();
    const auto bytes = static_cast<size_t>(*size);
    if (rest_.size() < 2 || rest_.size() - 2 < bytes) return std::nullopt;
    std::string_view text = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes + 2);
    std::string result(mark);
    if (mark == "=" && bytes >= 4) {  // The format's name and a colon.
      result += text.substr(0, 4);
      text.remove_prefix(4);
    }
    return result + cache::Quoted(text);
  }

  std::optional<std::string> TakeMany(std::string_view count, std::string_view open,
                                      std::string_view close, int depth) {
    const std::optional<int64_t> size = Number(count);
    if (!size) return std::nullopt;
    if (*size == -1) return "*nil";
    if (*size < 0) return Fail();
    const bool is_map = open == "{";
    std::string result(open);
    for (int64_t i = 0; i < *size; ++i) {
      if (i > 0) result += ", ";
      const std::optional<std::string> element = Take(depth + 1);
      if (!element) return std::nullopt;
      result += *element;
      if (!is_map) continue;
      const std::optional<std::string> value = Take(depth + 1);
      if (!value) return std::nullopt;
      result += ": " + *value;
    }
    return result + std::string(close);
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

std::optional<std::string> TakeReply(std::string_view& input) {
  Attempt attempt(input);
  std::optional<std::string> reply = attempt.Take();
  if (reply) {
    input = attempt.rest();
  } else if (attempt.failed()) {
    reply = "(not RESP: " + cache::Quoted(input) + ")";
    input = {};
  }
  return reply;
}

}  // namespace tidemark::integration
