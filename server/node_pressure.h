// NodePressure is a node's backpressure: it takes how full each bounded thing is, once a tick, and
// says what each kind of work may do, why, and how long writes pause. docs/backpressure.md has the
// states, their actions and their order.
//
//   for (const std::string& line : pressure.Update(sample, now_ms)) Log(line);   // At a tick.
//   if (pressure.acts()) ... pressure.Decide(Work::kWrite) ...                   // On the way in.
//
// A core. Threading: Update on one thread at a time; the rest on any.

#ifndef TIDEMARK_SERVER_NODE_PRESSURE_H_
#define TIDEMARK_SERVER_NODE_PRESSURE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/pressure_board.h"
#include "server/node_report.h"

namespace tidemark::server {

class NodePressure {
 public:
  static constexpr int64_t kShortestPauseMs = 1;
  static constexpr int64_t kLongestPauseMs = 20;

  // Requires: Validate(thresholds).ok().
  explicit NodePressure(const PressureThresholds& thresholds);

  struct Sample {
    std::array<int, kPressureInputs> percent{};  // By PressureInput; more than 100 is full.
    int64_t stall_ms = 5'000;                    // The log suspended for so long refuses writes.

    int& operator[](PressureInput input) { return percent[static_cast<size_t>(input)]; }
    int operator[](PressureInput input) const { return percent[static_cast<size_t>(input)]; }
  };
  // Returns what is to be logged: a line for each input whose state has changed, and for the
  // beginning and the end of a stall.
  std::vector<std::string> Update(const Sample& sample, int64_t now_ms);

  Action Decide(Work work) const {
    return static_cast<Action>(actions_.load(std::memory_order_acquire) >> ShiftOf(work) & 3);
  }
  // Whether a write may have to wait, or be refused. One load; the rest need be asked only then.
  bool acts() const { return acts_.load(std::memory_order_acquire); }
  // How long a shard takes no writes after a turn in which it took some.
  int64_t write_pause_ms() const { return write_pause_ms_.load(std::memory_order_relaxed); }
  Pressure state() const { return board_.state(); }
  // The reply to what Decide() refuses: "BUSYTIDE ...", with the cause.
  std::string Refusal() const;

  PressureView View() const;

 private:
  static int ShiftOf(Work work) { return 2 * static_cast<int>(work); }
  // How the stall stands after this sample; a line if it begins or ends.
  std::string FollowStall(const Sample& sample, int64_t now_ms);
  void Publish(const Sample& sample);

  const PressureThresholds thresholds_;
  PressureBoard board_;
  int64_t log_suspended_since_ms_ = -1;  // -1: it is not.

  std::atomic<uint32_t> actions_{0};  // Two bits of Action for each Work.
  std::atomic<bool> acts_{false};
  std::atomic<int64_t> write_pause_ms_{0};
  std::atomic<bool> stalled_{false};
  std::atomic<uint64_t> stalls_{0};

  mutable std::mutex mutex_;
  Sample latest_;  // Guarded by mutex_.
};

// How full `replica_lag` is: the lag of the worst of the `required` best replicas that stream, in
// percent of the limits (0: that one does not count). 0 while fewer stream, or nothing is limited.
struct LagLimits {
  int64_t records = 0;
  int64_t ms = 0;
  int required = 1;
};
int ReplicaLagPercent(const std::vector<ReplicaReport>& replicas, const LagLimits& limits);

// What of a command's work a name of the table of commands stands for. Requires: it is a write.
Work WorkOfWrite(std::string_view command);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_NODE_PRESSURE_H_
