// A primary's log for tests: keeps the frames of all shards in the order in which they were sealed,
// lets go of the oldest beyond a bound, makes each readable a little late, and now and then fails.

#ifndef TIDEMARK_REPLICATION_LINK_SIMULATED_LOG_H_
#define TIDEMARK_REPLICATION_LINK_SIMULATED_LOG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/format/open_frame.h"
#include "replication/frame_log.h"
#include "replication/link/frame_archive.h"
#include "replication/link/simulated_network.h"

namespace tidemark::replication {

class SimulatedLog final : public FrameLog, public FrameArchive {
 public:
  struct Options {
    size_t max_bytes = 1 << 20;
    int64_t max_delay_us = 20'000;  // Until what is appended can be read.
    int fail_percent = 0;           // Of reads.
    bool foreign = false;           // It is of another stream with the same sequences.
  };
  SimulatedLog(Simulation* sim, const Options& options, int shards)
      : sim_(sim), options_(options), low_(static_cast<size_t>(shards)) {}

  // FrameLog, of all shards: there is one order.
  void Append(FrameRef frame) override {
    readable_us_ = std::max(readable_us_, sim_->now_us() + sim_->Between(0, options_.max_delay_us));
    bytes_ += frame->bytes().size();
    frames_.push_back({std::move(frame), readable_us_});
    while (bytes_ > options_.max_bytes) {
      const Frame& oldest = *frames_.front().first;
      low_[oldest.shard().value()] = oldest.last_sequence();
      bytes_ -= oldest.bytes().size();
      frames_.pop_front();
      ++first_;
    }
  }
  void OnTurnEnd() override {}
  void OnHole(Sequence) override {}

  // FrameArchive.
  std::unique_ptr<ArchiveCursor> Open(const ReplicaPosition& position) override {
    return std::make_unique<Cursor>(this, position);
  }
  void Keep(const std::string& node_id, HistoryId, const Watermarks& acked) override {
    kept[node_id] = acked;
  }
  void Forget(const std::string& node_id) override { kept.erase(node_id); }
  bool Lost(const std::string&) const override { return false; }

  std::map<std::string, Watermarks> kept;

 private:
  class Cursor final : public ArchiveCursor {
   public:
    Cursor(SimulatedLog* log, const ReplicaPosition& position) : log_(log) {
      for (const ShardPosition& shard : position.shards) after_.push_back(shard.sequence);
    }
    ~Cursor() override { *alive_ = false; }

    void Read(size_t max_bytes, Done done) override {
      const auto finish = std::make_shared<Done>(std::move(done));
      log_->sim_->In(log_->sim_->Between(1, 5'000), [this, max_bytes, finish, alive = alive_] {
        if (!*alive) return;
        Done call = std::move(*finish);
        call(log_->ReadAt(&next_, after_, max_bytes));
      });
    }

   private:
    SimulatedLog* const log_;
    Watermarks after_;
    uint64_t next_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  };

  static FrameRef Foreign(const Frame& frame) {
    OpenFrame open;
    char* p = open.Reserve(frame.payload().size());
    std::copy(frame.payload().begin(), frame.payload().end(), p);
    open.Commit(p + frame.payload().size());
    FrameHeader header;
    header.flags = frame.flags();
    header.history = frame.history();
    header.shard = frame.shard();
    header.shard_count = frame.shard_count();
    header.record_count = frame.record_count();
    header.first_sequence = frame.first_sequence();
    header.last_sequence = frame.last_sequence();
    header.stream_digest = ~frame.stream_digest();
    return open.Seal(header);
  }

  ArchiveBatch ReadAt(uint64_t* next, const Watermarks& after, size_t max_bytes) {
    if (sim_->Chance(options_.fail_percent)) {
      return {.status = absl::DataLossError("a damaged segment"), .frames = {}};
    }
    if (*next < first_) {
      // Whoever has read nothing yet may not need what is gone.
      for (size_t shard = 0; shard < low_.size(); ++shard) {
        if (*next == 0 && after[shard] >= low_[shard]) continue;
        return {.status = absl::NotFoundError("pruned"), .frames = {}};
      }
      *next = first_;
    }
    ArchiveBatch batch;
    size_t bytes = 0;
    for (; *next < first_ + frames_.size() && bytes < max_bytes; ++*next) {
      const auto& [frame, readable_us] = frames_[*next - first_];
      if (readable_us > sim_->now_us()) break;
      if (frame->last_sequence() <= after[frame->shard().value()]) continue;
      bytes += frame->bytes().size();
      batch.frames.push_back(options_.foreign ? Foreign(*frame) : frame);
    }
    return batch;
  }

  Simulation* const sim_;
  const Options options_;
  std::deque<std::pair<FrameRef, int64_t>> frames_;
  uint64_t first_ = 0;  // The number of frames_.front().
  size_t bytes_ = 0;
  int64_t readable_us_ = 0;
  Watermarks low_;  // By shard: the last that is gone.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_SIMULATED_LOG_H_
