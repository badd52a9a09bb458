#include "base/pressure_board.h"

#include <algorithm>

namespace tidemark {
namespace {

constexpr std::array<PressureInput, kPressureInputs> kInputs = {
    PressureInput::kShardQueue, PressureInput::kLogBytes,  PressureInput::kReplicaLag,
    PressureInput::kMemory,     PressureInput::kExportLag, PressureInput::kSubscriberQueue,
    PressureInput::kTierWrites};

constexpr int ShiftOf(PressureInput input) { return 8 * static_cast<int>(input); }

Pressure StateOf(uint64_t states, PressureInput input) {
  return PressureFromRaw(static_cast<uint8_t>(states >> ShiftOf(input)));
}

uint64_t WithState(uint64_t states, PressureInput input, Pressure pressure) {
  const uint64_t others = states & ~(uint64_t{0xff} << ShiftOf(input));
  return others | static_cast<uint64_t>(pressure) << ShiftOf(input);
}

Pressure Worst(uint64_t states) {
  Pressure worst = Pressure::kNormal;
  for (PressureInput input : kInputs) worst = std::max(worst, StateOf(states, input));
  return worst;
}

struct Row {
  Action throttled;
  Action mesh, log, lag, shortage;  // Suspended by that.
};

// docs/backpressure.md, "What each state does", in the order of Work.
constexpr Action kAdmit = Action::kAdmit, kLimit = Action::kLimit, kDelay = Action::kDelay,
                 kRefuse = Action::kRefuse;
constexpr std::array<Row, kWorks> kRows = {{
    /* kRead         */ {kLimit, kLimit, kLimit, kLimit, kLimit},
    /* kDelete       */ {kLimit, kLimit, kDelay, kLimit, kLimit},
    /* kWrite        */ {kLimit, kLimit, kDelay, kDelay, kRefuse},
    /* kBlocking     */ {kLimit, kLimit, kLimit, kLimit, kRefuse},
    /* kSubscribe    */ {kLimit, kLimit, kLimit, kLimit, kRefuse},
    /* kAdmin        */ {kAdmit, kAdmit, kAdmit, kAdmit, kAdmit},
    /* kReplication  */ {kAdmit, kAdmit, kAdmit, kAdmit, kAdmit},
    /* kHousekeeping */ {kDelay, kDelay, kDelay, kDelay, kDelay},
}};

}  // namespace

std::string_view ToString(PressureInput input) {
  switch (input) {
    case PressureInput::kShardQueue:
      return "shard_queue";
    case PressureInput::kLogBytes:
      return "log_bytes";
    case PressureInput::kReplicaLag:
      return "replica_lag";
    case PressureInput::kMemory:
      return "memory";
    case PressureInput::kExportLag:
      return "export_lag";
    case PressureInput::kSubscriberQueue:
      return "subscriber_queue";
    case PressureInput::kTierWrites:
      break;
  }
  return "tier_writes";
}

Action ActionFor(Work work, PressureInput input, Pressure pressure) {
  if (pressure == Pressure::kNormal) return Action::kAdmit;
  // Its own bound acts, on the replica that fills it.
  if (input == PressureInput::kSubscriberQueue && work != Work::kHousekeeping) return kAdmit;
  // Shards keep writes back by themselves, and what makes room must not wait.
  if (input == PressureInput::kTierWrites) return kAdmit;
  const Row& row = kRows[static_cast<size_t>(work)];
  if (pressure == Pressure::kThrottled) return row.throttled;
  switch (input) {
    case PressureInput::kShardQueue:
    case PressureInput::kSubscriberQueue:
    case PressureInput::kTierWrites:
      return row.mesh;
    case PressureInput::kLogBytes:
      return row.log;
    case PressureInput::kReplicaLag:
      return row.lag;
    case PressureInput::kMemory:
    case PressureInput::kExportLag:
      break;
  }
  return row.shortage;
}

std::optional<PressureBoard::Transition> PressureBoard::Update(PressureInput input, int percent) {
  Gauge& gauge = this->gauge(input);
  const PressureThresholds thresholds = gauge.thresholds.Get();
  uint64_t before = states_.load(std::memory_order_relaxed);
  uint64_t after;
  do {
    const Pressure now = StateOf(before, input);
    const Pressure next = NextPressure(now, percent, thresholds);
    if (next == now) return std::nullopt;
    after = WithState(before, input, next);
  } while (!states_.compare_exchange_weak(before, after, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
  const Pressure input_now = StateOf(after, input);
  if (input_now == Pressure::kThrottled) {
    gauge.throttled_total.fetch_add(1, std::memory_order_relaxed);
  } else if (input_now == Pressure::kSuspended) {
    gauge.suspended_total.fetch_add(1, std::memory_order_relaxed);
  }
  return Transition{.input = input,
                    .input_now = input_now,
                    .node_before = Worst(before),
                    .node_now = Worst(after)};
}

Pressure PressureBoard::state() const { return Worst(states_.load(std::memory_order_acquire)); }

Pressure PressureBoard::state(PressureInput input) const {
  return StateOf(states_.load(std::memory_order_acquire), input);
}

std::optional<PressureInput> PressureBoard::holder() const {
  const uint64_t states = states_.load(std::memory_order_acquire);
  const Pressure worst = Worst(states);
  if (worst == Pressure::kNormal) return std::nullopt;
  return *std::find_if(kInputs.begin(), kInputs.end(),
                       [&](PressureInput input) { return StateOf(states, input) == worst; });
}

Action PressureBoard::Severest(Work work, uint64_t states) {
  Action severest = Action::kAdmit;
  for (PressureInput input : kInputs) {
    severest = std::max(severest, ActionFor(work, input, StateOf(states, input)));
  }
  return severest;
}

uint64_t PressureBoard::throttled_total(PressureInput input) const {
  return gauge(input).throttled_total.load(std::memory_order_relaxed);
}

uint64_t PressureBoard::suspended_total(PressureInput input) const {
  return gauge(input).suspended_total.load(std::memory_order_relaxed);
}

}  // namespace tidemark
