// PressureBoard is a node's backpressure: a controller for each thing that can fill up, the worst
// of their states, which of them hold it, and what each kind of work may then do.
// docs/backpressure.md has the table of actions and the reasons.
//
//   board.Update(PressureInput::kMemory, UtilisationPercent(used, max));    // From whoever knows.
//   switch (board.Decide(Work::kWrite)) { case Action::kAdmit: ... }        // On the shard's way
//   in.

#ifndef TIDEMARK_BASE_PRESSURE_BOARD_H_
#define TIDEMARK_BASE_PRESSURE_BOARD_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/backpressure.h"

namespace tidemark {

// What can fill up. The first three empty by themselves once less comes in, so waiting helps.
// kMemory and kExportLag are shortages: they may last until someone else acts. kSubscriberQueue is
// bounded by itself and holds up no client; kTierWrites is acted upon by each shard itself, at
// once.
enum class PressureInput : uint8_t {
  kShardQueue,  // The fullest of a shard's queues to its peers.
  kLogBytes,    // Bytes that the log has taken and not yet written.
  kReplicaLag,  // Of the slowest replica that writes are required to reach.
  kMemory,
  kExportLag,        // Of the change export, against what the log retains for it.
  kSubscriberQueue,  // What waits for the replica that reads slowest.
  kTierWrites,       // Values on their way to the tier's disk, of the fullest shard.
};
inline constexpr int kPressureInputs = 7;

// "shard_queue", "log_bytes", "replica_lag", "memory", "export_lag", "subscriber_queue",
// "tier_writes".
std::string_view ToString(PressureInput input);

// What may be asked of a node, as backpressure tells it apart.
enum class Work : uint8_t {
  kRead,
  kDelete,        // A write that can only free: DEL, UNLINK, EXPIRE, FLUSHALL.
  kWrite,         // Any other.
  kBlocking,      // Waits on the server, as BLPOP does.
  kSubscribe,     // Asks for a stream of output.
  kAdmin,         // INFO, CONFIG, health checks.
  kReplication,   // Serving and applying frames, acks, replay of the log.
  kHousekeeping,  // Snapshots to files, reclaiming, active expiry.
};
inline constexpr int kWorks = 8;

// Ordered by severity.
enum class Action : uint8_t {
  kAdmit,   // As ever.
  kLimit,   // A smaller share of each turn: fewer commands of a connection, fewer in flight of a
            // tenant.
  kDelay,   // Not started now: left in the client's socket, or for a later tick. Nothing is lost.
  kRefuse,  // Answered with an error that names the input.
};

// The table: what `work` may do while an input is in `pressure`.
Action ActionFor(Work work, PressureInput input, Pressure pressure);

// Thread-safe: each input is updated by the thread that knows it; every shard reads the board on
// each turn.
class PressureBoard {
 public:
  struct Transition {
    PressureInput input;  // The one that moved.
    Pressure input_now;
    Pressure node_before;
    Pressure node_now;
  };

  // All inputs begin normal, with the default thresholds.
  PressureBoard() = default;

  // Takes the fill of one input. Answers if this changed the input's state: the caller should log
  // it.
  std::optional<Transition> Update(PressureInput input, int percent);

  // The worst state of any input.
  Pressure state() const;
  Pressure state(PressureInput input) const;
  // The input that holds state(): of several the first in the enum's order; nothing while normal.
  std::optional<PressureInput> holder() const;

  // The severest of what the inputs' states ask of `work`. One load and one branch while all is
  // normal.
  Action Decide(Work work) const {
    const uint64_t states = states_.load(std::memory_order_acquire);
    return states == 0 ? Action::kAdmit : Severest(work, states);
  }

  // Entries of an input into kThrottled, from above as well as from below, and into kSuspended.
  uint64_t throttled_total(PressureInput input) const;
  uint64_t suspended_total(PressureInput input) const;

  // A change takes effect at the input's next Update.
  LiveThresholds& thresholds(PressureInput input) { return gauge(input).thresholds; }

 private:
  struct Gauge {
    LiveThresholds thresholds{PressureThresholds()};
    std::atomic<uint64_t> throttled_total{0};
    std::atomic<uint64_t> suspended_total{0};
  };
  static Action Severest(Work work, uint64_t states);

  Gauge& gauge(PressureInput input) { return gauges_[static_cast<size_t>(input)]; }
  const Gauge& gauge(PressureInput input) const { return gauges_[static_cast<size_t>(input)]; }

  std::array<Gauge, kPressureInputs> gauges_;
  // A byte of Pressure for each input, so that one load shows all of them as of one moment.
  std::atomic<uint64_t> states_{0};
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_PRESSURE_BOARD_H_
