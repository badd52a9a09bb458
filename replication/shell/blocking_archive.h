// BlockingArchive is a FrameArchive as the disk is: one that blocks. server/ implements it over the
// log; PostedArchive calls it on a thread of its own.
//
// Threading: the archive's thread, except what says "any thread".

#ifndef TIDEMARK_REPLICATION_SHELL_BLOCKING_ARCHIVE_H_
#define TIDEMARK_REPLICATION_SHELL_BLOCKING_ARCHIVE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "replication/link/frame_archive.h"

namespace tidemark::replication {

class BlockingArchive {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    // As ArchiveCursor::Read().
    virtual ArchiveBatch Read(size_t max_bytes) = 0;
  };

  virtual ~BlockingArchive() = default;

  // As FrameArchive's. Errors are those of ArchiveBatch::status.
  virtual absl::StatusOr<std::unique_ptr<Reader>> Open(const ReplicaPosition& position) = 0;
  virtual void Keep(const std::string& node_id, HistoryId history, const Watermarks& acked) = 0;
  virtual void Forget(const std::string& node_id) = 0;
  virtual bool Lost(const std::string& node_id) const = 0;  // Any thread.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_BLOCKING_ARCHIVE_H_
