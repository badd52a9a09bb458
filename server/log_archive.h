// LogArchive feeds replicas from a primary's log: BlockingArchive over wal::LogReader, and over the
// log's retention.
//
// A replica sees one history, the primary's newest, whatever went before: frames of its ancestors
// are handed out under the newest one's name, which leaves their records and stream digests as they
// are.
//
// What replicas have acknowledged is turned into the segment that each still needs by looking at
// where segments begin; so the log is read for replicas that lag, not for those that do not.
//
// Threading: as BlockingArchive. on_lost comes on the pruning thread.
// Ownership: shares the log; borrows the rest, which outlives it. Its readers live no longer than
// it.

#ifndef TIDEMARK_SERVER_LOG_ARCHIVE_H_
#define TIDEMARK_SERVER_LOG_ARCHIVE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/ids.h"
#include "replication/shell/blocking_archive.h"
#include "wal/data_directory.h"
#include "wal/log.h"
#include "wal/retention.h"

namespace tidemark::server {

class LogArchive final : public replication::BlockingArchive {
 public:
  // `retain_bytes`: kept for one replica, at most; 0: nothing is.
  LogArchive(const wal::DataDirectory& directory, std::shared_ptr<const wal::Log> log,
             wal::Retention& retention, uint64_t retain_bytes);
  ~LogArchive() override;

  absl::StatusOr<std::unique_ptr<Reader>> Open(
      const replication::ReplicaPosition& position) override;
  void Keep(const std::string& node_id, HistoryId history, const Watermarks& acked) override;
  void Forget(const std::string& node_id) override;
  bool Lost(const std::string& node_id) const override;

 private:
  // Where a segment begins.
  struct SegmentBegin {
    HistoryId history;
    Watermarks before;
  };

  void RefreshSegments();
  // The newest segment that has, with those after it, all that follows; none: it is gone.
  std::optional<uint64_t> SegmentFor(const Watermarks& acked) const;

  const wal::DataDirectory& directory_;
  const std::shared_ptr<const wal::Log> shared_log_;  // It may outlive the role that wrote it.
  const wal::Log& log_;
  wal::Retention& retention_;
  const uint64_t retain_bytes_;
  std::map<uint64_t, SegmentBegin> segments_;  // By number; as of the last look.

  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<wal::Retention::Hold>> holds_;  // Guarded by mutex_.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_LOG_ARCHIVE_H_
