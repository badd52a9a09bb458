#include "tools/tidectl/status_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <string_view>

#include "tools/tidectl/top_table.h"

namespace tidemark::tidectl {
namespace {

constexpr size_t kShardsShown = 8;
constexpr size_t kHistoryShown = 16;

// The records of `ahead` that `behind` does not have; -1 if the two do not compare.
int64_t Lag(const NodeWatermarks& ahead, const NodeWatermarks& behind) {
  const Vector& from = ahead.position();
  const Vector& to = behind.position();
  if (ahead.history != behind.history || from.size() != to.size()) return -1;
  int64_t lag = 0;
  for (size_t i = 0; i < from.size(); ++i) lag += std::max<int64_t>(0, from[i] - to[i]);
  return lag;
}

// Enough of a history's name to tell it from others: the end, which is never padding.
std::string_view ShortHistory(std::string_view history) {
  return history.size() > kHistoryShown ? history.substr(history.size() - kHistoryShown) : history;
}

const NodeWatermarks* FirstPrimary(std::span<const NodeStatus> nodes) {
  for (const NodeStatus& node : nodes) {
    if (node.watermarks.ok() && node.watermarks->role != "replica") return &*node.watermarks;
  }
  return nullptr;
}

std::string NodeRow(const NodeStatus& node, const NodeWatermarks* primary) {
  if (!node.watermarks.ok()) {
    const auto& why = node.watermarks.status().message();
    return fmt::format("{:<22} {}\n", node.name, std::string_view(why.data(), why.size()));
  }
  const NodeWatermarks& marks = *node.watermarks;
  std::string lag = "-";
  if (primary != nullptr && primary != &marks) {
    const int64_t records = Lag(*primary, marks);
    lag = records < 0 ? "other history" : std::to_string(records);
  }
  return fmt::format("{:<22} {:<8} {:<18} {:>6} {:>13}  {}\n", node.name, marks.role,
                     ShortHistory(marks.history), marks.shards, lag, VectorText(marks.position()));
}

std::string PressureLine(const NodeStatus& node) {
  const std::string_view state = InfoField(node.info, "pressure_state").value_or("");
  if (state.empty() || state == "normal") return "";
  const bool stalled = InfoField(node.info, "pressure_stalled") == "1";
  return fmt::format("\n{} is {} by {}{}\n", node.name, state,
                     InfoField(node.info, "pressure_cause").value_or("?"),
                     stalled ? ", which stands still: writes are refused" : "");
}

}  // namespace

std::string VectorText(const Vector& vector) {
  if (vector.size() <= kShardsShown) return fmt::format("[{}]", fmt::join(vector, " "));
  return fmt::format("{} shards, sum {}", vector.size(),
                     std::accumulate(vector.begin(), vector.end(), int64_t{0}));
}

std::string StatusTable(std::span<const NodeStatus> nodes) {
  const NodeWatermarks* primary = FirstPrimary(nodes);
  std::string out = fmt::format("{:<22} {:<8} {:<18} {:>6} {:>13}  {}\n", "node", "role", "history",
                                "shards", "lag (records)", "emitted / applied");
  for (const NodeStatus& node : nodes) out += NodeRow(node, primary);
  for (const NodeStatus& node : nodes) {
    if (!node.watermarks.ok() || node.watermarks->replicas.empty()) continue;
    out += fmt::format("\nreplicas of {}:\n{:>6} {:<22} {:<10} {:>13} {:>8} {:>13}  {}\n",
                       node.name, "id", "address", "state", "lag (records)", "lag (ms)",
                       "queue (bytes)", "acked");
    for (const ReplicaState& replica : node.watermarks->replicas) {
      out += fmt::format("{:>6} {:<22} {:<10} {:>13} {:>8} {:>13}  {}\n", replica.id, replica.addr,
                         replica.state, replica.lag_records, replica.lag_ms, replica.queue_bytes,
                         VectorText(replica.acked));
    }
  }
  for (const NodeStatus& node : nodes) out += PressureLine(node);
  return out;
}

}  // namespace tidemark::tidectl
