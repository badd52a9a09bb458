#include "server/backup_hold.h"

namespace tidemark::server {

absl::StatusOr<uint64_t> BackupHold::Begin(int64_t now_ms, int64_t for_ms) {
  const std::lock_guard lock(mutex_);
  if (IsHeld(now_ms)) return absl::FailedPreconditionError("a backup is under way");
  if (pruning_) return absl::UnavailableError("old segments are being deleted");
  held_ = true;
  until_ms_ = now_ms + for_ms;
  return ++last_id_;
}

bool BackupHold::End(uint64_t id, int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (id != last_id_ || !IsHeld(now_ms)) return false;
  held_ = false;
  return true;
}

bool BackupHold::BeginPruning(int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (IsHeld(now_ms)) return false;
  pruning_ = true;
  return true;
}

void BackupHold::EndPruning() {
  const std::lock_guard lock(mutex_);
  pruning_ = false;
}

}  // namespace tidemark::server
