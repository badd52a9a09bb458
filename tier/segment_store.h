// SegmentStore is the value log's files: it does to them what SegmentLedger decides, and lets many
// threads read them meanwhile.
//
//   LOCK                       flock'ed by the process that runs
//   values-0000000001.seg      segments (docs/formats/value_log.md), numbered from 1
//
// A segment's file stays open as long as it may be read: by an entry's location, a read under way
// or a pin. So a segment that is deleted, by reclaim or by somebody's rm, remains readable for
// whoever holds it, and its bytes count against the bound until the last of them lets go.
//
// Errors are those of wal::Disk, and each is of one write or one read: nothing here is ever
// final. A segment in which a write failed is sealed in front of that write; the next is another
// file.
//
// Threading: "writer" calls on one thread, the others on any. The lock is held for bookkeeping,
// never for I/O. Ownership: borrows the disk and the clock.

#ifndef TIDEMARK_TIER_SEGMENT_STORE_H_
#define TIDEMARK_TIER_SEGMENT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "tier/segment_ledger.h"
#include "tier/value_location.h"
#include "wal/disk/disk.h"

namespace tidemark::tier {

// One segment's open file. ReadAt() may be called by several threads at once.
struct SegmentFile {
  uint32_t number = 0;
  std::string path;
  std::unique_ptr<wal::File> file;
};
using SegmentRef = std::shared_ptr<const SegmentFile>;

class SegmentStore {
 public:
  struct Options {
    uint64_t max_bytes = 0;
    uint64_t segment_bytes = 0;
    bool sync_writes = true;
    const Clock* clock = &Clock::System();
  };

  // Makes the directory if it is absent, takes its lock, and deletes the segments in it.
  // FailedPrecondition: another process holds it. And the errors of wal::Disk.
  static absl::StatusOr<std::unique_ptr<SegmentStore>> Open(wal::Disk& disk,
                                                            const std::string& directory,
                                                            const Options& options);
  // Deletes the segments: nobody could use them. Requires: no other call is under way.
  ~SegmentStore();

  // --- Writer. ---

  bool Fits(Lane lane, uint64_t planned_bytes, uint64_t bytes) const;
  // Whether Create() has room within the bound.
  bool MayCreate(Lane lane) const;
  // Seals the lane's open segment, if there is one, and opens the next. Requires: MayCreate(lane).
  // ResourceExhausted: the disk is full; others of wal::Disk. The lane has then none open.
  absl::Status Create(Lane lane);
  // Where the next record of the lane goes. Requires: one is open, as after Fits() or Create().
  SegmentLedger::End EndOf(Lane lane) const;
  // Writes records at EndOf(lane). OK: they can be read, and are live. Otherwise none of them is
  // there, and the lane has no segment open. Requires: they fit.
  absl::Status Append(Lane lane, std::string_view records, uint64_t count);

  // Deletes the files of sealed segments without live records; returns how many.
  size_t DeleteEmpty();
  // Whether something deleted is still held open by a reader.
  bool HasHeldFiles() const;

  std::optional<uint32_t> FindVictim() const;
  uint64_t EndBytes(uint32_t segment) const;
  void GiveUp(uint32_t segment, bool for_good);
  void Reconsider();
  bool Contains(uint32_t segment) const;

  // --- Any thread. ---

  // Holds the segment's file. Null: it is gone.
  SegmentRef Find(uint32_t segment) const;
  // As SegmentLedger::Free(): true if the writer should look.
  bool Free(ValueLocation location);
  SegmentLedger::Totals totals() const;

 private:
  struct Known {
    SegmentRef in_use;                      // Null once deleted,
    std::weak_ptr<const SegmentFile> held;  // when readers may still hold it,
    uint64_t removed_bytes = 0;             // and this is what it takes.
  };

  SegmentStore(wal::Disk& disk, std::string directory, const Options& options,
               std::unique_ptr<wal::DirectoryLock> lock);

  absl::Status DeleteOld();
  std::string PathOf(uint32_t segment) const;
  absl::StatusOr<std::unique_ptr<wal::File>> MakeFile(uint32_t segment) const;
  void Seal(Lane lane);
  void ForgetUnheld();  // Requires: the lock.

  wal::Disk& disk_;
  const std::string directory_;
  const Options options_;
  const std::unique_ptr<wal::DirectoryLock> lock_;

  mutable std::mutex mutex_;
  SegmentLedger ledger_;                // Guarded by mutex_.
  std::map<uint32_t, Known> segments_;  // Guarded by mutex_.
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_SEGMENT_STORE_H_
