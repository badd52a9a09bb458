#include "integration/harness/feed_log.h"

#include <absl/strings/escaping.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

namespace tidemark::integration {
namespace {

using Json = nlohmann::json;

std::string BytesOf(const Json& change, const std::string& name) {
  if (change.contains(name)) return change[name];
  std::string bytes;
  if (change.contains(name + "_base64")) {
    absl::Base64Unescape(std::string(change[name + "_base64"]), &bytes);
  }
  return bytes;
}

// What both tools say about a change, as one text.
size_t HashOf(const Json& change) {
  Json same;
  for (const char* field :
       {"op", "key", "key_base64", "value", "value_base64", "offset", "expire_at_ms", "idle_ms",
        "stale_ms", "hard_at_ms", "why", "records", "participants"}) {
    if (change.contains(field)) same[field] = change[field];
  }
  return std::hash<std::string>()(same.dump());
}

void Apply(const Json& change, std::map<std::string, FeedLog::Value>& keys) {
  const std::string op = change["op"];
  if (op == "flush") keys.clear();
  if (op == "flush" || op == "transaction") return;
  const std::string key = BytesOf(change, "key");
  const int64_t expire_at_ms = change.value("expire_at_ms", int64_t{0});
  if (op == "delete") {
    keys.erase(key);
  } else if (op == "set") {
    keys[key] = {.bytes = BytesOf(change, "value"), .expire_at_ms = expire_at_ms};
  } else if (op == "expire") {
    if (const auto it = keys.find(key); it != keys.end()) it->second.expire_at_ms = expire_at_ms;
  } else if (op == "set_range") {
    std::string& bytes = keys[key].bytes;
    const std::string part = BytesOf(change, "value");
    const size_t offset = change["offset"];
    bytes.resize(std::max(bytes.size(), offset + part.size()), '\0');
    bytes.replace(offset, part.size(), part);
  }
}

}  // namespace

FeedLog::FeedLog(int shards)
    : positions_(static_cast<size_t>(shards)), keys_(static_cast<size_t>(shards)) {}

std::string FeedLog::Take(std::string_view line) {
  const Json change = Json::parse(line, nullptr, false);
  if (!change.is_object()) return fmt::format("no JSON: {}", line);
  const std::string history = change.value("history", "");
  if (history != history_) {
    if (!histories_.insert(history).second) return fmt::format("{} again: {}", history, line);
    history_ = history;
  }
  if (change["op"] == "history") {
    const std::vector<uint64_t> begins = change["positions"];
    if (begins == positions_) return "";
    return fmt::format("we are at {}: {}", fmt::join(positions_, ", "), line);
  }
  const size_t shard = change.value("shard", positions_.size());
  const uint64_t sequence = change.value("sequence", uint64_t{0});
  if (shard >= positions_.size()) return fmt::format("no such shard: {}", line);
  if (sequence != positions_[shard] + 1) {
    return fmt::format("after sequence {} of its shard: {}", positions_[shard], line);
  }
  positions_[shard] = sequence;
  seen_[{history, shard, sequence}] = HashOf(change);
  Apply(change, keys_[shard]);
  return "";
}

std::string FeedLog::Compare(std::string_view dumped) const {
  const Json change = Json::parse(dumped, nullptr, false);
  if (!change.is_object()) return fmt::format("no JSON: {}", dumped);
  const auto it = seen_.find({change["history"], change["shard"], change["sequence"]});
  if (change.value("void", false)) {
    return it == seen_.end() ? "" : fmt::format("the node took it back: {}", dumped);
  }
  if (it == seen_.end()) return fmt::format("the feed never had it: {}", dumped);
  return it->second == HashOf(change) ? "" : fmt::format("the feed had another: {}", dumped);
}

std::map<std::string, FeedLog::Value> FeedLog::Contents() const {
  std::map<std::string, Value> all;
  for (const auto& keys : keys_) all.insert(keys.begin(), keys.end());
  return all;
}

}  // namespace tidemark::integration
