#include "integration/harness/tide_reports.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <string_view>

namespace tidemark::integration {
namespace {

using Type = Reply::Type;

// Takes fields out of a map one by one and remembers the first that is missing or of another type.
class MapReader {
 public:
  explicit MapReader(const Reply& map) : map_(map) {
    if (map.type != Type::kArray) Fail("not a map");
  }

  std::string Text(std::string_view key) {
    const Reply* value = Find(key, Type::kString);
    return value != nullptr ? value->text : "";
  }
  int64_t Integer(std::string_view key) {
    const Reply* value = Find(key, Type::kInteger);
    return value != nullptr ? value->integer : 0;
  }
  Vector Integers(std::string_view key) {
    Vector integers;
    for (const Reply& element : Elements(key)) {
      if (element.type != Type::kInteger) Fail(fmt::format("{} holds another type", key));
      integers.push_back(element.integer);
    }
    return integers;
  }
  const std::vector<Reply>& Elements(std::string_view key) {
    static const std::vector<Reply> none;
    const Reply* value = Find(key, Type::kArray);
    return value != nullptr ? value->elements : none;
  }

  void Fail(std::string what) {
    if (fault_.empty()) fault_ = std::move(what);
  }
  absl::Status status() const {
    if (fault_.empty()) return absl::OkStatus();
    std::ostringstream text;
    PrintTo(map_, &text);
    return absl::FailedPreconditionError(fmt::format("{}: {}", fault_, text.str()));
  }

 private:
  const Reply* Find(std::string_view key, Type type) {
    const Reply* value = map_.Find(key);
    if (value != nullptr && value->type == type) return value;
    Fail(fmt::format("{} is {}", key, value == nullptr ? "missing" : "of another type"));
    return nullptr;
  }

  const Reply& map_;
  std::string fault_;
};

}  // namespace

absl::StatusOr<WatermarksReport> ParseWatermarks(const Reply& reply) {
  MapReader map(reply);
  WatermarksReport report;
  report.role = map.Text("role");
  report.history = map.Text("history");
  report.shards = map.Integer("shards");
  if (report.role == "replica") {
    report.applied = map.Integers("applied");
    if (absl::Status status = map.status(); !status.ok()) return status;
    return report;
  }
  report.assigned = map.Integers("assigned");
  report.emitted = map.Integers("emitted");
  report.acked = map.Integers("acked");
  for (const Reply& element : map.Elements("replicas")) {
    MapReader row(element);
    report.replicas.push_back({.id = row.Integer("id"),
                               .addr = row.Text("addr"),
                               .state = row.Text("state"),
                               .acked = row.Integers("acked"),
                               .lag_records = row.Integer("lag_records"),
                               .lag_ms = row.Integer("lag_ms"),
                               .queue_bytes = row.Integer("queue_bytes")});
    if (absl::Status status = row.status(); !status.ok()) return status;
  }
  if (absl::Status status = map.status(); !status.ok()) return status;
  return report;
}

absl::StatusOr<DigestReport> ParseDigest(const Reply& reply) {
  MapReader map(reply);
  DigestReport report = {.history = map.Text("history"),
                         .watermarks = map.Integers("watermarks"),
                         .keys = map.Integer("keys"),
                         .digest = map.Text("digest")};
  if (report.digest.find_first_not_of("0123456789abcdef") != std::string::npos ||
      report.digest.size() != 32) {
    map.Fail("digest is not 32 hex digits");
  }
  if (absl::Status status = map.status(); !status.ok()) return status;
  return report;
}

absl::StatusOr<WatermarksReport> Watermarks(RedisClient& client) {
  return ParseWatermarks(client.Do({"TIDE", "WATERMARKS"}));
}

absl::StatusOr<DigestReport> Digest(RedisClient& client) {
  return ParseDigest(client.Do({"TIDE", "DIGEST"}));
}

void PrintTo(const DigestReport& report, std::ostream* out) {
  *out << fmt::format("{} keys, digest {} at {} of history {}", report.keys, report.digest,
                      report.watermarks, report.history);
}

}  // namespace tidemark::integration
