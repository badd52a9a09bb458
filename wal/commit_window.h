// CommitWindow decides how long a flush with fsync=always may be held back for writes that are
// about to come, so that they share it. Durability is a budget of flushes: at 250 flushes a second,
// 50 clients make 12,500 writes a second if each flush carries all of them, 6,250 if each carries
// half.
//
// Left alone, clients fall into two groups: while the flush of one group runs, the other queues,
// and each waits for two flushes. But who was just answered asks again within a network round trip,
// which is short beside a flush. So after a flush the next one is expected to carry those that were
// answered and those that queued meanwhile, and waits for that many, at most for a share of what
// flushes take: where the clients do not come back, little is lost. One client alone never waits.
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
  // The most that is waited: this share of the recent flushes' time, and this long. 0: never.
  static constexpr int kDefaultPercent = 12;
  static constexpr int64_t kMaxWaitNanos = 2'000'000;
  explicit CommitWindow(int percent_of_sync = kDefaultPercent) : percent_(percent_of_sync) {}

  // A flush ended that made `records` durable and took `sync_ns`.
  void OnSynced(uint64_t records, int64_t sync_ns, int64_t now_ns);

  // `queued` records came while it ran; none of those that it made durable was answered yet.
  void Expect(uint64_t queued) { expected_ = answered_ + queued; }

  // How much longer to hold back the flush of `pending` records; 0: not at all.
  int64_t Wait(uint64_t pending, int64_t now_ns) const;

  // What the next flush is expected to carry.
  uint64_t expected() const { return expected_; }
  int64_t average_sync_ns() const { return average_sync_ns_; }

 private:
  const int percent_;
  int64_t average_sync_ns_ = 0;
  uint64_t answered_ = 0;  // By the latest flush.
  uint64_t expected_ = 0;
  int64_t wait_until_ns_ = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_COMMIT_WINDOW_H_
