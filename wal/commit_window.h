// CommitWindow decides how long a flush with fsync=always may be held back for writes that are
// about to come, so that they share it. Durability is a budget of flushes: at 250 flushes a second,
// 50 clients make 12,500 writes a second if each flush carries all of them, 6,250 if each carries
// half.
//
// Who was just answered asks again a round trip later. So after a flush the writers are those that
// it answered and those that queued meanwhile, and there are two good rhythms:
//   all of them in each flush, where a round trip is short beside a flush (a slow disk): waiting
//   for
//     the last to come back costs little and spares each writer a second flush;
//   half of them in turn, where it is long (a fast disk): the flush of one half runs while the
//     other half is served. Less than half a flush wastes the processor and the disk on flushes.
// The window first waits a little for all, then somewhat longer for half. Where either has not
// brought them several times in a row it is given up for a while: clients that do not come back
// cost the others little. One client alone never waits.
//
//   window.OnSynced(records, nanos, now_ns);                // After each flush.
//   window.Expect(queued);                                  // Before its writers are answered.
//   const int64_t wait_ns = window.Wait(pending, now_ns);   // 0: flush now.
//
// A core. Threading: one thread at a time.

#ifndef TIDEMARK_WAL_COMMIT_WINDOW_H_
#define TIDEMARK_WAL_COMMIT_WINDOW_H_

#include <cstdint>

namespace tidemark::wal {

class CommitWindow {
 public:
  struct Options {
    // The most that is waited, as shares of the recent flushes' time; 0: never.
    int percent_for_all = 12;
    int percent_for_half = 60;
  };
  static constexpr int64_t kMaxWaitNanos = 2'000'000;
  // Waits in vain, one after another, before they are given up, and for how many flushes.
  static constexpr int kPatience = 8;
  static constexpr int kRestFlushes = 256;

  CommitWindow() : CommitWindow(Options()) {}
  explicit CommitWindow(const Options& options) : options_(options) {}

  // A flush ended that made `records` durable and took `sync_ns`.
  void OnSynced(uint64_t records, int64_t sync_ns, int64_t now_ns);

  // `queued` records came while it ran; none of those that it made durable was answered yet.
  void Expect(uint64_t queued) { expected_ = answered_ + queued; }

  // How much longer to hold back the flush of `pending` records; 0: not at all.
  int64_t Wait(uint64_t pending, int64_t now_ns) const;

  // What a flush would carry at most: all who write.
  uint64_t expected() const { return expected_; }
  bool waits_for_all() const { return for_all_.willing(); }
  bool waits_for_half() const { return for_half_.willing(); }
  int64_t average_sync_ns() const { return average_sync_ns_; }

 private:
  // Whether a wait is worth another try.
  class Patience {
   public:
    bool willing() const { return rest_flushes_ == 0; }
    // A flush ended. `came`: it carried those that were waited for, or would have been.
    void Judge(bool came);

   private:
    int in_vain_ = 0;
    int rest_flushes_ = 0;
  };

  uint64_t half() const { return (expected_ + 1) / 2; }
  int64_t Share(int percent) const;

  const Options options_;
  int64_t average_sync_ns_ = 0;
  uint64_t answered_ = 0;  // By the latest flush.
  uint64_t expected_ = 0;
  int64_t synced_at_ns_ = 0;
  Patience for_all_;
  Patience for_half_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_COMMIT_WINDOW_H_
