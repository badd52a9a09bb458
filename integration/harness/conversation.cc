#include "integration/harness/conversation.h"

#include <fmt/format.h>

#include "cache/commands/split_line.h"

namespace tidemark::integration {
namespace {

// Takes `prefix` off the front of `text`, if it is there.
bool Take(std::string_view prefix, std::string_view& text) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Conversation Begin(std::string_view title) {
  Conversation conversation = {.title = std::string(title)};
  if (title.ends_with(" [RESP2]")) conversation.only_protocol = 2;
  if (title.ends_with(" [RESP3]")) conversation.only_protocol = 3;
  return conversation;
}

// False if the line is none.
bool ParseExchange(std::string_view line, Exchange& exchange) {
  if (line.starts_with("A") || line.starts_with("B")) {
    exchange.connection = line[0];
    line.remove_prefix(1);
  }
  if (line == "<") return exchange.reads = true;
  if (Take("> ", line)) {
    exchange.command = cache::SplitLine(line);
    return exchange.reads = true;
  }
  if (!Take("! ", line)) return false;
  for (const std::string& word : cache::SplitLine(line)) exchange.bytes += word;
  return !exchange.bytes.empty();
}

// False if the line says nothing that is known.
bool ParseRemark(std::string_view line, Exchange& exchange) {
  if (Take("mask ", line)) {
    exchange.masks.push_back({.regex = std::string(line), .replacement = "#"});
  } else if (Take("drop ", line)) {
    exchange.masks.push_back({.regex = std::string(line), .replacement = ""});
  } else if (Take("ours ", line)) {
    exchange.ours = std::string(line);
  } else if (Take("because ", line)) {
    exchange.because = std::string(line);
  } else {
    return exchange.differs = line == "differs";
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<Conversation>> ParseConversations(std::string_view text) {
  std::vector<Conversation> conversations;
  const auto last_needs_reason = [&] {
    if (conversations.empty() || conversations.back().exchanges.empty()) return false;
    const Exchange& last = conversations.back().exchanges.back();
    return (last.ours || last.differs) && last.because.empty();
  };
  int number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const auto wrong = [&](std::string_view why) {
      return absl::InvalidArgumentError(fmt::format("line {}: {}", number, why));
    };
    if (line.empty() || line.starts_with('#')) continue;
    const bool is_remark = Take("    ", line);
    if (!is_remark && last_needs_reason()) return wrong("the difference above has no reason");
    if (Take("== ", line)) {
      conversations.push_back(Begin(line));
      continue;
    }
    if (conversations.empty()) return wrong("comes before the first conversation");
    std::vector<Exchange>& exchanges = conversations.back().exchanges;
    if (is_remark) {
      if (exchanges.empty() || !exchanges.back().reads) return wrong("there is no reply above");
      if (!ParseRemark(line, exchanges.back())) return wrong("no such remark");
      continue;
    }
    exchanges.push_back({.line = number, .text = std::string(line)});
    if (!ParseExchange(line, exchanges.back())) return wrong("neither >, ! nor <");
  }
  if (last_needs_reason()) return absl::InvalidArgumentError("the last difference has no reason");
  return conversations;
}

}  // namespace tidemark::integration
