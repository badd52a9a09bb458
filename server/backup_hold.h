// BackupHold keeps the data directory's files where they are while somebody copies them: as long as
// a backup is under way nothing is pruned. It ends when its holder says so, or by itself when its
// time is up, so that a tool that died does not fill the disk.
//
// One at a time: two would be fine for the files, but a second is more often a mistake.
//
// Threading: thread-safe; never blocks on the disk.

#ifndef TIDEMARK_SERVER_BACKUP_HOLD_H_
#define TIDEMARK_SERVER_BACKUP_HOLD_H_

#include <cstdint>
#include <mutex>

#include "absl/status/statusor.h"

namespace tidemark::server {

class BackupHold {
 public:
  // The number by which it is ended.
  //   FailedPrecondition  another is under way
  //   Unavailable         files are being deleted at this moment: ask again
  absl::StatusOr<uint64_t> Begin(int64_t now_ms, int64_t for_ms);
  // False: not, or no longer, under way.
  bool End(uint64_t id, int64_t now_ms);

  // Before files are deleted; false: they must stay. After true, EndPruning() follows.
  bool BeginPruning(int64_t now_ms);
  void EndPruning();

 private:
  bool IsHeld(int64_t now_ms) const { return held_ && now_ms < until_ms_; }

  std::mutex mutex_;  // Guards what follows.
  uint64_t last_id_ = 0;
  bool held_ = false;
  int64_t until_ms_ = 0;
  bool pruning_ = false;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_BACKUP_HOLD_H_
