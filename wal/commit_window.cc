#include "wal/commit_window.h"

#include <algorithm>

namespace tidemark::wal {

void CommitWindow::OnSynced(uint64_t records, int64_t sync_ns, int64_t now_ns) {
  // The average of the last eight or so: one slow flush must not make all wait.
  average_sync_ns_ =
      average_sync_ns_ == 0 ? sync_ns : average_sync_ns_ + (sync_ns - average_sync_ns_) / 8;
  answered_ = records;
  expected_ = records;
  wait_until_ns_ = now_ns + std::min(average_sync_ns_ * percent_ / 100, kMaxWaitNanos);
}

int64_t CommitWindow::Wait(uint64_t pending, int64_t now_ns) const {
  if (pending >= expected_) return 0;
  return std::max<int64_t>(0, wait_until_ns_ - now_ns);
}

}  // namespace tidemark::wal
