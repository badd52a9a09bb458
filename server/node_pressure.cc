#include "server/node_pressure.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidemark::server {
namespace {

constexpr std::array<PressureInput, kPressureInputs> kInputs = {
    PressureInput::kShardQueue, PressureInput::kLogBytes,  PressureInput::kReplicaLag,
    PressureInput::kMemory,     PressureInput::kExportLag, PressureInput::kSubscriberQueue,
    PressureInput::kTierWrites};

std::string CauseOf(const PressureBoard& board) {
  const std::optional<PressureInput> holder = board.holder();
  return holder ? std::string(ToString(*holder)) : "";
}

// From the shortest pause, where the state is entered or left, to the longest, where the next
// begins.
int64_t PauseMs(int percent, const PressureThresholds& thresholds) {
  const int span = thresholds.suspend_enter - thresholds.throttle_exit;
  const int above = std::clamp(percent - thresholds.throttle_exit, 0, span);
  return NodePressure::kShortestPauseMs +
         above * (NodePressure::kLongestPauseMs - NodePressure::kShortestPauseMs) / span;
}

}  // namespace

NodePressure::NodePressure(const PressureThresholds& thresholds) : thresholds_(thresholds) {
  for (const PressureInput input : kInputs) CHECK(board_.thresholds(input).Set(thresholds).ok());
}

std::vector<std::string> NodePressure::Update(const Sample& sample, int64_t now_ms) {
  {
    const std::lock_guard lock(mutex_);
    latest_ = sample;
  }
  std::vector<std::string> lines;
  for (const PressureInput input : kInputs) {
    const auto moved = board_.Update(input, sample[input]);
    if (!moved) continue;
    std::string line =
        fmt::format("pressure: {} is {} ({} %); the node is {}", ToString(input),
                    ToString(moved->input_now), sample[input], ToString(moved->node_now));
    if (moved->node_now != Pressure::kNormal) line += fmt::format(" by {}", CauseOf(board_));
    lines.push_back(std::move(line));
  }
  if (std::string line = FollowStall(sample, now_ms); !line.empty()) {
    lines.push_back(std::move(line));
  }
  Publish(sample);
  return lines;
}

std::string NodePressure::FollowStall(const Sample& sample, int64_t now_ms) {
  if (board_.state(PressureInput::kLogBytes) != Pressure::kSuspended) {
    log_suspended_since_ms_ = -1;
  } else if (log_suspended_since_ms_ < 0) {
    log_suspended_since_ms_ = now_ms;
  }
  const bool stalled =
      log_suspended_since_ms_ >= 0 && now_ms - log_suspended_since_ms_ >= sample.stall_ms;
  if (stalled_.exchange(stalled) == stalled) return "";
  if (!stalled) return "pressure: the log moves again, and writes are taken";
  stalls_.fetch_add(1, std::memory_order_relaxed);
  return fmt::format("pressure: the log stands still for {} ms; writes are refused",
                     now_ms - log_suspended_since_ms_);
}

void NodePressure::Publish(const Sample& sample) {
  uint32_t actions = 0;
  for (int i = 0; i < kWorks; ++i) {
    const auto work = static_cast<Work>(i);
    Action action = board_.Decide(work);
    // What was only delayed by the log has waited long enough.
    if (stalled_.load() && action == Action::kDelay && work != Work::kHousekeeping) {
      action = Action::kRefuse;
    }
    actions |= static_cast<uint32_t>(action) << ShiftOf(work);
  }
  const bool paced = board_.state(PressureInput::kReplicaLag) == Pressure::kThrottled;
  const int64_t pause_ms = paced ? PauseMs(sample[PressureInput::kReplicaLag], thresholds_) : 0;
  write_pause_ms_.store(pause_ms, std::memory_order_relaxed);
  actions_.store(actions, std::memory_order_release);
  acts_.store(pause_ms > 0 || Decide(Work::kWrite) >= Action::kDelay, std::memory_order_release);
}

std::string NodePressure::Refusal() const {
  const std::lock_guard lock(mutex_);
  const PressureInput input =
      stalled_.load() ? PressureInput::kLogBytes : board_.holder().value_or(PressureInput::kMemory);
  std::string text = fmt::format("BUSYTIDE writes are refused: {} is {} ({} %)", ToString(input),
                                 ToString(board_.state(input)), latest_[input]);
  if (stalled_.load()) text += fmt::format(" and did not recover within {} ms", latest_.stall_ms);
  return text + "; reads go on";
}

PressureView NodePressure::View() const {
  const std::lock_guard lock(mutex_);
  PressureView view;
  view.state = ToString(board_.state());
  view.state_number = static_cast<int>(board_.state());
  view.cause = CauseOf(board_);
  view.stalled = stalled_.load();
  view.stalls = stalls_.load();
  view.write_pause_ms = write_pause_ms();
  for (const PressureInput input : kInputs) {
    view.inputs.push_back({.name = std::string(ToString(input)),
                           .percent = std::min(latest_[input], 100),
                           .state = std::string(ToString(board_.state(input))),
                           .state_number = static_cast<int>(board_.state(input)),
                           .throttled_total = board_.throttled_total(input),
                           .suspended_total = board_.suspended_total(input)});
  }
  return view;
}

int ReplicaLagPercent(const std::vector<ReplicaReport>& replicas, const LagLimits& limits) {
  if (limits.records == 0 && limits.ms == 0) return 0;
  std::vector<int> percents;
  for (const ReplicaReport& replica : replicas) {
    if (replica.state != "online") continue;
    int percent = 0;
    if (limits.records != 0) {
      percent = UtilisationPercent(replica.lag_records, static_cast<uint64_t>(limits.records));
    }
    if (limits.ms != 0) {
      percent = std::max(
          percent, UtilisationPercent(static_cast<uint64_t>(std::max<int64_t>(replica.lag_ms, 0)),
                                      static_cast<uint64_t>(limits.ms)));
    }
    percents.push_back(percent);
  }
  const auto required = static_cast<size_t>(limits.required);
  if (percents.size() < required) return 0;
  std::sort(percents.begin(), percents.end());
  return percents[required - 1];
}

Work WorkOfWrite(std::string_view command) {
  constexpr std::string_view kDeletes[] = {"del",    "unlink",  "getdel",   "flushall", "flushdb",
                                           "expire", "pexpire", "expireat", "pexpireat"};
  const bool deletes =
      std::find(std::begin(kDeletes), std::end(kDeletes), command) != std::end(kDeletes);
  return deletes ? Work::kDelete : Work::kWrite;
}

}  // namespace tidemark::server
