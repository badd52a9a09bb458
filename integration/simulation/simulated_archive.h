// SimulatedArchive is the thread that reads a primary's log for replicas that fell behind
// (replication::PostedArchive), in virtual time: what it reads arrives later, a batch at a time.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time and archive.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_SIMULATED_ARCHIVE_H_
#define TIDEMARK_INTEGRATION_SIMULATION_SIMULATED_ARCHIVE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "integration/simulation/node_time.h"
#include "replication/link/frame_archive.h"
#include "replication/shell/blocking_archive.h"

namespace tidemark::simulation {

class SimulatedArchive final : public replication::FrameArchive {
 public:
  SimulatedArchive(NodeTime* time, replication::BlockingArchive* archive)
      : time_(time), archive_(archive) {}

  std::unique_ptr<replication::ArchiveCursor> Open(
      const replication::ReplicaPosition& position) override {
    return std::make_unique<Cursor>(time_, archive_, position);
  }
  void Keep(const std::string& node_id, HistoryId history, const Watermarks& acked) override {
    archive_->Keep(node_id, history, acked);
  }
  void Forget(const std::string& node_id) override { archive_->Forget(node_id); }
  bool Lost(const std::string& node_id) const override { return archive_->Lost(node_id); }

 private:
  class Cursor final : public replication::ArchiveCursor {
   public:
    Cursor(NodeTime* time, replication::BlockingArchive* archive,
           replication::ReplicaPosition position)
        : events_(time), archive_(archive), position_(std::move(position)) {}

    void Read(size_t max_bytes, Done done) override {
      const auto finish = std::make_shared<Done>(std::move(done));
      events_.In(events_.sim().Between(20, 4'000), [this, max_bytes, finish] {
        const auto batch = std::make_shared<replication::ArchiveBatch>(ReadNow(max_bytes));
        events_.In(events_.sim().Between(1, 300), [batch, finish] {
          Done call = std::move(*finish);
          call(std::move(*batch));
        });
      });
    }

   private:
    replication::ArchiveBatch ReadNow(size_t max_bytes) {
      if (reader_ == nullptr) {
        auto opened = archive_->Open(position_);
        if (!opened.ok()) return {.status = opened.status(), .frames = {}};
        reader_ = *std::move(opened);
      }
      return reader_->Read(max_bytes);
    }

    NodeEvents events_;
    replication::BlockingArchive* const archive_;
    const replication::ReplicaPosition position_;
    std::unique_ptr<replication::BlockingArchive::Reader> reader_;  // From the first read on.
  };

  NodeTime* const time_;
  replication::BlockingArchive* const archive_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_SIMULATED_ARCHIVE_H_
