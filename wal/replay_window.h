// ReplayWindow holds back frames of the newest history until it is known that the transactions in
// them are whole: the log's end may lack other parts of the latest ones.
//
//   for (each frame of the log) {
//     window.Add(frame, digest_before, at);
//     while (auto part = window.TakeReady()) Apply(*part);
//   }
//   window.Look();
//   while (auto part = window.TakeReady()) Apply(*part);
//
// The parts of a transaction come close together, so it holds next to nothing: a frame goes
// straight through unless a transaction is open. Where more than `max_bytes` would wait, it lets go
// of all frames and only goes on counting; once the log's end is known, cut() says what is good,
// and the caller reads the log again from reread_from().
//
// Threading: one thread at a time. No I/O.

#ifndef TIDEMARK_WAL_REPLAY_WINDOW_H_
#define TIDEMARK_WAL_REPLAY_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/consistent_cut.h"
#include "wal/positions.h"

namespace tidemark::wal {

class ReplayWindow {
 public:
  // `base`: a consistent cut (see ConsistentCut); what is at or below it is ready at once. The
  // frames begin at it or before.
  ReplayWindow(Watermarks base, size_t max_bytes);

  // The next frame of the log. `digest_before` is its shard's stream digest before it, `at` where
  // it begins.
  // DataLoss: records of a transaction are damaged, or contradict each other.
  absl::Status Add(FrameRef frame, uint64_t digest_before, LogPosition at);
  // Finds what has become ready; now and then Add() does so itself. Call it between segments, for a
  // process that goes on in a history may give a transaction an id again, and at the end: what is
  // above the cut then stays so.
  void Look();

  struct Part {
    FrameRef frame;
    uint64_t digest_before = 0;
    Sequence from;
    Sequence through;
  };
  // Records of a frame that are ready; none for now. Those of one shard come in order.
  std::optional<Part> TakeReady();

  // The largest consistent cut; good after the last Look().
  const Watermarks& cut() const { return cut_.cut(); }
  size_t held_bytes() const { return held_bytes_; }
  // Set once more than max_bytes would have waited: nothing becomes ready any more, and what was
  // not taken begins here or later. Records at the beginning of that may have been taken.
  const std::optional<LogPosition>& reread_from() const { return reread_from_; }

 private:
  struct Held {
    FrameRef frame;
    uint64_t digest_before = 0;
    Sequence next;  // The first record not taken.
    LogPosition at;
  };
  void LetGo();

  const size_t max_bytes_;
  ConsistentCut cut_;
  std::optional<Part> through_;         // Straight.
  std::vector<std::deque<Held>> held_;  // By shard.
  size_t held_bytes_ = 0;
  size_t held_frames_ = 0;
  size_t bytes_since_look_ = 0;
  size_t next_shard_ = 0;  // To look at for what is ready; past the last: none is.
  std::optional<LogPosition> reread_from_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_REPLAY_WINDOW_H_
