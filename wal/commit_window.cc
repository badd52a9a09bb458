#include "wal/commit_window.h"

#include <algorithm>

namespace tidemark::wal {

void CommitWindow::OnSynced(uint64_t records, int64_t sync_ns, int64_t now_ns) {
  for_all_.Judge(records >= expected_);
  for_half_.Judge(records >= half());
  // The average of the last eight or so: one slow flush must not make all wait.
  average_sync_ns_ =
      average_sync_ns_ == 0 ? sync_ns : average_sync_ns_ + (sync_ns - average_sync_ns_) / 8;
  answered_ = records;
  expected_ = records;
  synced_at_ns_ = now_ns;
}

void CommitWindow::Patience::Judge(bool came) {
  if (rest_flushes_ > 0) {
    --rest_flushes_;
  } else if (came) {
    in_vain_ = 0;
  } else if (++in_vain_ >= kPatience) {
    in_vain_ = kPatience - 1;  // After the rest, once in vain is enough.
    rest_flushes_ = kRestFlushes;
  }
}

int64_t CommitWindow::Wait(uint64_t pending, int64_t now_ns) const {
  if (pending >= expected_) return 0;
  const int64_t waited_ns = now_ns - synced_at_ns_;
  int64_t wait_ns = 0;
  if (for_all_.willing()) {
    wait_ns = std::max(wait_ns, Share(options_.percent_for_all) - waited_ns);
  }
  if (for_half_.willing() && pending < half()) {
    wait_ns = std::max(wait_ns, Share(options_.percent_for_half) - waited_ns);
  }
  return wait_ns;
}

int64_t CommitWindow::Share(int percent) const {
  return std::min(average_sync_ns_ * percent / 100, kMaxWaitNanos);
}

}  // namespace tidemark::wal
