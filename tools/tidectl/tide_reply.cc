#include "tools/tidectl/tide_reply.h"

#include <fmt/format.h>

#include <string_view>

#include "absl/status/status.h"
#include "tools/tidectl/moment.h"

namespace tidemark::tidectl {
namespace {

// A flat array of names and values, as RESP2 gives a map.
class MapReader {
 public:
  explicit MapReader(const redisReply& reply) : reply_(reply) {
    Require(reply.type == REDIS_REPLY_ARRAY && reply.elements % 2 == 0, "a map", "the reply");
  }

  absl::Status status() const {
    return error_.empty() ? absl::OkStatus() : absl::InvalidArgumentError(error_);
  }
  // Why the first thing that was wrong was so; empty if nothing was.
  const std::string& error() const { return error_; }

  // Each leaves `out` alone if there is no such name.
  void Text(std::string_view name, std::string& out) {
    if (const redisReply* value = Find(name)) ReadText(*value, name, out);
  }
  void Number(std::string_view name, int64_t& out) {
    if (const redisReply* value = Find(name)) ReadNumber(*value, name, out);
  }
  void Numbers(std::string_view name, Vector& out) {
    Each(name, [&](const redisReply& item) { ReadNumber(item, name, out.emplace_back()); });
  }
  void Texts(std::string_view name, std::vector<std::string>& out) {
    Each(name, [&](const redisReply& item) { ReadText(item, name, out.emplace_back()); });
  }
  template <typename Visit>
  void Each(std::string_view name, Visit visit) {
    const redisReply* value = Find(name);
    if (value == nullptr || !Require(value->type == REDIS_REPLY_ARRAY, "an array", name)) return;
    for (size_t i = 0; i < value->elements; ++i) visit(*value->element[i]);
  }
  void Fail(const std::string& error) {
    if (error_.empty()) error_ = error;
  }
  void RequirePresent(std::string_view name) { Require(Find(name) != nullptr, "present", name); }

 private:
  bool Require(bool holds, std::string_view what, std::string_view name) {
    if (!holds) Fail(fmt::format("{} is not {}", name, what));
    return holds;
  }
  const redisReply* Find(std::string_view name) {
    if (!error_.empty()) return nullptr;
    for (size_t i = 0; i + 1 < reply_.elements; i += 2) {
      const redisReply& key = *reply_.element[i];
      if (IsText(key) && std::string_view(key.str, TextSize(key)) == name) {
        return reply_.element[i + 1];
      }
    }
    return nullptr;
  }
  static bool IsText(const redisReply& value) {
    return value.type == REDIS_REPLY_STRING || value.type == REDIS_REPLY_STATUS;
  }
  static size_t TextSize(const redisReply& value) { return static_cast<size_t>(value.len); }
  void ReadText(const redisReply& value, std::string_view name, std::string& out) {
    if (value.type == REDIS_REPLY_INTEGER) {
      out = std::to_string(value.integer);
    } else if (Require(IsText(value), "a string", name)) {
      out.assign(value.str, TextSize(value));
    }
  }
  void ReadNumber(const redisReply& value, std::string_view name, int64_t& out) {
    if (Require(value.type == REDIS_REPLY_INTEGER, "an integer", name)) out = value.integer;
  }

  const redisReply& reply_;
  std::string error_;
};

}  // namespace

absl::StatusOr<NodeWatermarks> ReadWatermarks(const redisReply& reply) {
  NodeWatermarks node;
  MapReader map(reply);
  map.RequirePresent("role");
  map.RequirePresent("history");
  map.Text("role", node.role);
  map.Text("history", node.history);
  map.Number("shards", node.shards);
  map.Numbers("assigned", node.assigned);
  map.Numbers("emitted", node.emitted);
  map.Numbers("applied", node.applied);
  map.Numbers("acked", node.acked);
  map.Each("replicas", [&](const redisReply& item) {
    ReplicaState& replica = node.replicas.emplace_back();
    MapReader fields(item);
    fields.Text("id", replica.id);
    fields.Text("addr", replica.addr);
    fields.Text("state", replica.state);
    fields.Numbers("acked", replica.acked);
    fields.Number("lag_records", replica.lag_records);
    fields.Number("lag_ms", replica.lag_ms);
    fields.Number("queue_bytes", replica.queue_bytes);
    if (!fields.error().empty()) map.Fail("in replicas, " + fields.error());
  });
  if (!map.status().ok()) return map.status();
  return node;
}

absl::StatusOr<NodeDigest> ReadDigest(const redisReply& reply) {
  NodeDigest node;
  MapReader map(reply);
  for (std::string_view name : {"history", "watermarks", "digest"}) map.RequirePresent(name);
  map.Text("history", node.history);
  map.Numbers("watermarks", node.watermarks);
  map.Number("keys", node.keys);
  map.Text("digest", node.digest);
  map.Texts("shard_digests", node.shard_digests);
  if (!map.status().ok()) return map.status();
  return node;
}

absl::StatusOr<BackupReply> ReadBackup(const redisReply& reply) {
  int64_t id = 0;
  std::string history;
  Vector durable;
  MapReader map(reply);
  for (std::string_view name : {"id", "history", "durable"}) map.RequirePresent(name);
  map.Number("id", id);
  map.Text("history", history);
  map.Numbers("durable", durable);
  if (!map.status().ok()) return map.status();
  const std::optional<HistoryId> parsed = ParseHistory(history);
  if (!parsed.has_value()) return absl::InvalidArgumentError("history is not a history");
  BackupReply backup{.id = static_cast<uint64_t>(id), .history = *parsed, .durable = {}};
  for (const int64_t sequence : durable) {
    if (sequence < 0) return absl::InvalidArgumentError("durable is not a vector");
    backup.durable.push_back(Sequence(static_cast<uint64_t>(sequence)));
  }
  return backup;
}

}  // namespace tidemark::tidectl
