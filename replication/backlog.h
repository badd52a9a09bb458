// Backlog keeps the recent frames of one shard, whole, so that a reader who was away for a moment
// can go on from where it was. All shards' backlogs share one budget of bytes.
//
// It answers two questions for a position (a sequence, and the stream's digest there if the reader
// knows it): is it one of ours, and which frames come after it?
//
// Threading: Backlog is confined to its shard's thread; BacklogBudget is thread-safe.

#ifndef TIDEMARK_REPLICATION_BACKLOG_H_
#define TIDEMARK_REPLICATION_BACKLOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark::replication {

// The bytes that all backlogs of a node may hold together. Counts what frames hold of the heap;
// compressed twins come on top, at most 95 % as much again (frame_compressor.h).
//
// The rule: whoever appends past the budget evicts its own oldest frames until the total fits
// again, so the bound holds but for the one frame that each shard may be appending. A shard that
// must evict although it holds no more than its fair share (budget / shards) leaves a claim; a
// shard that holds more than its share gives the excess back at its next turn. So a shard that fell
// silent does not keep the others out.
class BacklogBudget {
 public:
  BacklogBudget(size_t max_bytes, int shard_count);

  size_t max_bytes() const { return max_bytes_; }
  size_t fair_share_bytes() const { return fair_share_bytes_; }
  size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  friend class Backlog;

  const size_t max_bytes_;
  const size_t fair_share_bytes_;
  std::atomic<size_t> used_bytes_{0};
  std::atomic<bool> claimed_{false};
};

class Backlog {
 public:
  // Borrows `budget`.
  explicit Backlog(BacklogBudget* budget) : budget_(budget) {}
  ~Backlog();
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  // Starts, or after a hole in the stream starts anew, to retain what follows `last`, where the
  // stream's digest is `digest`; everything up to there needs a snapshot. Before this nothing is
  // kept: frames that no reader has ever been there to miss are only memory.
  void Activate(Sequence last, uint64_t digest);
  bool active() const { return active_; }

  // Requires: active; `frame` starts right after high().
  void Append(FrameRef frame);
  // Gives back what others claim. Call it every turn.
  void YieldToClaims() {
    if (bytes_ > budget_->fair_share_bytes_ && budget_->claimed_.load(std::memory_order_relaxed))
        [[unlikely]] {
      GiveBackExcess();
    }
  }

  struct CatchUp {
    enum class Kind {
      kNothing,  // The reader has everything.
      kFrames,   // These follow its position; the first may begin before it if no digest was given.
      kEvicted,  // Older than what is kept; whether it is of this stream is not known here.
      kNotOurs,  // Not a position of this stream: ahead of us, another digest, within a frame.
    };
    Kind kind = Kind::kNothing;
    std::vector<FrameRef> frames;
  };
  // Requires: active.
  CatchUp Since(Sequence applied, std::optional<uint64_t> digest) const;

  // The newest sequence ever appended; stays when its frame is evicted. `digest` is the stream's
  // there.
  Sequence high() const { return high_; }
  // The stream's digest before the oldest retained frame.
  uint64_t digest_before_first() const { return digest_before_first_; }
  // The oldest position that is not kEvicted.
  Sequence low() const { return low_; }
  size_t bytes() const { return bytes_; }
  size_t frames() const { return frames_.size(); }

 private:
  void EvictOldest();
  void GiveBackExcess();

  BacklogBudget* const budget_;
  bool active_ = false;
  std::deque<FrameRef> frames_;
  size_t bytes_ = 0;
  Sequence low_;
  Sequence high_;
  uint64_t digest_before_first_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_BACKLOG_H_
