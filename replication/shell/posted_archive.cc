#include "replication/shell/posted_archive.h"

#include <utility>

namespace tidemark::replication {

class PostedArchive::Cursor final : public ArchiveCursor {
 public:
  Cursor(PostedArchive* archive, const ReplicaPosition& position)
      : archive_(archive), shared_(std::make_shared<Shared>(position)) {}
  ~Cursor() override {
    shared_->alive = false;
    shared_->done = nullptr;
    // A file is closed where files are read.
    archive_->disk_.Post([shared = std::move(shared_)] { shared->reader = nullptr; });
  }

  void Read(size_t max_bytes, Done done) override {
    shared_->done = std::move(done);
    archive_->disk_.Post(
        [shared = shared_, from = archive_->archive_, link = archive_->link_, max_bytes] {
          ArchiveBatch batch = shared->ReadFrom(*from, max_bytes);
          link.Post([shared, batch = std::move(batch)]() mutable {
            if (!shared->alive) return;
            // Moved out first: the callback may be the end of this cursor.
            Done call = std::move(shared->done);
            call(std::move(batch));
          });
        });
  }

 private:
  struct Shared {
    explicit Shared(const ReplicaPosition& position) : position(position) {}

    ArchiveBatch ReadFrom(BlockingArchive& archive, size_t max_bytes) {
      if (reader == nullptr) {
        absl::StatusOr<std::unique_ptr<BlockingArchive::Reader>> opened = archive.Open(position);
        if (!opened.ok()) return {.status = opened.status(), .frames = {}};
        reader = *std::move(opened);
      }
      return reader->Read(max_bytes);
    }

    const ReplicaPosition position;
    // The archive's thread.
    std::unique_ptr<BlockingArchive::Reader> reader;
    // The link thread.
    bool alive = true;
    Done done;
  };

  PostedArchive* const archive_;
  std::shared_ptr<Shared> shared_;
};

PostedArchive::PostedArchive(BlockingArchive* archive, LinkLoop::Poster link)
    : archive_(archive), link_(std::move(link)) {}

PostedArchive::~PostedArchive() { Stop(); }

std::unique_ptr<ArchiveCursor> PostedArchive::Open(const ReplicaPosition& position) {
  return std::make_unique<Cursor>(this, position);
}

void PostedArchive::Keep(const std::string& node_id, HistoryId history, const Watermarks& acked) {
  disk_.Post(
      [archive = archive_, node_id, history, acked] { archive->Keep(node_id, history, acked); });
}

void PostedArchive::Forget(const std::string& node_id) {
  disk_.Post([archive = archive_, node_id] { archive->Forget(node_id); });
}

}  // namespace tidemark::replication
