// FrameArchive is where a replica goes on from when the backlog no longer reaches back to its
// position: the primary's log on disk. An interface, so that replication knows nothing of files;
// replication/shell/posted_archive.h puts the reading on a thread of its own, and server/
// implements that over the log.
//
//   auto cursor = archive.Open(position);
//   cursor->Read(1 << 20, [](ArchiveBatch batch) { ... });   // And again, until the backlog or the
//                                                            // live feed goes on from here.
//
// Threading: the link thread; nothing here blocks it.

#ifndef TIDEMARK_REPLICATION_LINK_FRAME_ARCHIVE_H_
#define TIDEMARK_REPLICATION_LINK_FRAME_ARCHIVE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

struct ArchiveBatch {
  // Not OK: there is nothing to go on with, whatever is asked of this cursor.
  //   NotFound  what follows is no longer kept
  //   others    the position is not one of this log, or the disk or what is on it is damaged
  absl::Status status;
  // Of all shards, each shard's in order; as the node's newest history has them. The first of a
  // shard may begin at or below the position. None: nothing more for now.
  std::vector<FrameRef> frames;
};

// One reader's place. Destroying it, from within its callback too, ends what is under way: no
// callback comes after that.
class ArchiveCursor {
 public:
  virtual ~ArchiveCursor() = default;

  // The frames that follow, until they have `max_bytes`, at least one if there is any. One at a
  // time. `done` comes later, never from within the call.
  using Done = absl::AnyInvocable<void(ArchiveBatch)>;
  virtual void Read(size_t max_bytes, Done done) = 0;
};

class FrameArchive {
 public:
  virtual ~FrameArchive() = default;

  // Requires: a history that ShardAccess::Knows(), with its number of shards. The archive outlives
  // the cursor. Whether the position is still there, the first Read() says.
  virtual std::unique_ptr<ArchiveCursor> Open(const ReplicaPosition& position) = 0;

  // Keeps what follows `acked` for a replica, connected or not, up to a cap in bytes.
  virtual void Keep(const std::string& node_id, HistoryId history, const Watermarks& acked) = 0;
  // Keeps nothing for it any more.
  virtual void Forget(const std::string& node_id) = 0;
  // Whether the cap made the archive give up what the replica lacks. As of the last look.
  virtual bool Lost(const std::string& node_id) const = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_FRAME_ARCHIVE_H_
