// PostedArchive is FrameArchive over a BlockingArchive: one thread reads the disk for all replicas,
// a batch for each in turn, and what it read is posted back to the link loop.
//
// Threading: the link thread, but for Start() and Stop(), which one thread calls.

#ifndef TIDEMARK_REPLICATION_SHELL_POSTED_ARCHIVE_H_
#define TIDEMARK_REPLICATION_SHELL_POSTED_ARCHIVE_H_

#include <memory>
#include <string>

#include "base/link/link_loop.h"
#include "replication/link/frame_archive.h"
#include "replication/shell/blocking_archive.h"

namespace tidemark::replication {

class PostedArchive final : public FrameArchive {
 public:
  // Borrows `archive` until the end of Stop(), its readers included.
  PostedArchive(BlockingArchive* archive, LinkLoop::Poster link);
  ~PostedArchive() override;

  void Start() { disk_.Start("replica log"); }
  // After the read that is under way; what is posted later is dropped. Idempotent.
  void Stop() { disk_.Stop(); }

  std::unique_ptr<ArchiveCursor> Open(const ReplicaPosition& position) override;
  void Keep(const std::string& node_id, HistoryId history, const Watermarks& acked) override;
  void Forget(const std::string& node_id) override;
  bool Lost(const std::string& node_id) const override { return archive_->Lost(node_id); }

 private:
  class Cursor;

  BlockingArchive* const archive_;
  const LinkLoop::Poster link_;
  LinkLoop disk_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_POSTED_ARCHIVE_H_
