// SnapshotSchedule decides when the next snapshot begins. It knows no clock and no thread: whoever
// runs snapshots asks it now and then and tells it how each one went.
//
//   at a tick:           if (schedule.Due(now_ms, writes, pressure)) begin one, then OnBegun(...)
//   when it has ended:   schedule.OnSucceeded(...) or OnFailed(...)
//   when somebody asks:  schedule.Ask()
//
// By itself one is due when the last was begun `every_ms` ago and `min_writes` writes have come
// since; both must hold. While the node is under pressure that is put off, but not for ever, as the
// log grows meanwhile. One that failed is due again when the backoff is over. Who asks waits for
// none of that. One runs at a time.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_WAL_SNAPSHOT_SCHEDULE_H_
#define TIDEMARK_WAL_SNAPSHOT_SCHEDULE_H_

#include <cstdint>

#include "base/backpressure.h"

namespace tidemark::wal {

class SnapshotSchedule {
 public:
  struct Options {
    int64_t every_ms = 300'000;  // 0: only when somebody asks.
    uint64_t min_writes = 1000;
    int64_t first_backoff_ms = 1'000;  // Doubles with each failure in a row.
    int64_t max_backoff_ms = 300'000;
    int64_t max_deferral_ms = 300'000;  // Because of pressure.
  };
  // All times are on a clock that never steps back. `writes`, here and below, only ever grows;
  // `writes_covered` of them are in a snapshot already.
  SnapshotSchedule(const Options& options, int64_t now_ms, uint64_t writes_covered);

  // A live change.
  void set_every_ms(int64_t every_ms) { options_.every_ms = every_ms; }
  void set_min_writes(uint64_t min_writes) { options_.min_writes = min_writes; }

  // Whether to begin one now.
  bool Due(int64_t now_ms, uint64_t writes, Pressure pressure);

  // The next Due() is true, once none is running.
  void Ask() { asked_ = true; }
  // As Ask(), but puts up with being put off by pressure.
  void AskGently() { asked_gently_ = true; }
  bool asked() const { return asked_ || asked_gently_; }

  // One begins: it covers the writes so far.
  void OnBegun(int64_t now_ms, uint64_t writes);
  void OnSucceeded();
  void OnFailed(int64_t now_ms);

  bool running() const { return running_; }
  // Writes that are in no complete snapshot.
  uint64_t Uncovered(uint64_t writes) const {
    return writes > writes_covered_ ? writes - writes_covered_ : 0;  // They were counted before.
  }
  // How often one was put off because of pressure.
  uint64_t deferrals() const { return deferrals_; }
  int failures_in_row() const { return failures_; }
  int64_t backoff_ms() const;  // After as many failures; 0: none.

 private:
  bool PutOff(int64_t now_ms, Pressure pressure);

  Options options_;
  int64_t last_begun_ms_;
  uint64_t writes_covered_;
  uint64_t writes_at_begin_ = 0;
  bool running_ = false;
  bool asked_ = false;
  bool asked_gently_ = false;
  int failures_ = 0;
  int64_t not_before_ms_ = 0;  // The backoff's end.
  bool putting_off_ = false;   // Since due_since_ms_.
  int64_t due_since_ms_ = 0;
  uint64_t deferrals_ = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SNAPSHOT_SCHEDULE_H_
