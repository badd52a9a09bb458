// LogTail keeps the latest frames that were written to the log, so that readers who are nearly even
// do not read the disk. It holds what is written, durable or not: who reads looks at `durable`.
//
//   tail.Append(written, end);                              // The log thread, once a write.
//
//   std::optional<uint64_t> index = tail.IndexOf(position);  // A reader; none: read the disk.
//   tail.Read(*index, 64, &entries);
//
// Entries are numbered from 0 in the order of the log; the number of one that was let go of is
// never used again.
//
// Threading: thread-safe, by one lock that is held for moments; Append() on the log thread.
// Memory: at most max_bytes of frames, but always the newest one. Frames that others hold too cost
// nothing on top, yet are counted.

#ifndef TIDEMARK_WAL_LOG_TAIL_H_
#define TIDEMARK_WAL_LOG_TAIL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/positions.h"

namespace tidemark::wal {

class LogTail {
 public:
  struct Entry {
    FrameRef frame;           // Not compressed.
    LogPosition position;     // Where it begins.
    uint64_t end_offset = 0;  // Where in the same segment it ends.
  };

  // The log stands at `begin`, where its shards' streams stand at `before`.
  LogTail(size_t max_bytes, Watermarks before, LogPosition begin);
  LogTail(const LogTail&) = delete;
  LogTail& operator=(const LogTail&) = delete;

  // What was written next, in order; the log now ends at `end`.
  void Append(std::span<const Entry> entries, LogPosition end);
  // A new segment was begun.
  void SetEnd(LogPosition end) { Append({}, end); }

  // The number of the first entry at or after `position`; it may be yet to come. None: some that
  // follow `position` were let go of, or the log never was there.
  std::optional<uint64_t> IndexOf(LogPosition position) const;
  // The number of an entry such that it and those after it hold all that a reader at `after` lacks;
  // the reader skips what it has. None as above.
  std::optional<uint64_t> IndexAfter(std::span<const Sequence> after) const;

  // Appends up to `max_entries` from number `index` on to *out. False: that entry was let go of.
  bool Read(uint64_t index, size_t max_entries, std::vector<Entry>* out) const;

  // Where what has been written ends.
  LogPosition end() const;
  // Where the log stood before the oldest entry.
  LogPosition begin() const;
  size_t bytes() const;

 private:
  void EvictOldest();

  const size_t max_bytes_;
  mutable std::mutex mutex_;
  // All guarded by mutex_.
  std::deque<Entry> entries_;
  uint64_t first_index_ = 0;
  size_t bytes_ = 0;
  Watermarks before_;  // Before the oldest entry.
  LogPosition begin_;
  LogPosition end_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_LOG_TAIL_H_
