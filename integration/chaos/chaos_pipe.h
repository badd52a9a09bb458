// ChaosPipe is one direction of a connection as a bad network would carry it: late, slowly, in
// pieces, damaged, or not at all.
//
//   pipe.SetFaults({.delay_ms = 20, .harm = PipeFaults::Harm::kCorrupt, .harm_at_bytes = 1000});
//   pipe.Push(read, now_ms);                          // At most room() bytes.
//   std::string_view piece = pipe.Ready(now_ms);      // To be written now; empty: nothing.
//   pipe.OnWritten(piece.size(), now_ms);
//   ... again at NextMs(now_ms), or after a Push() ...
//
// Threading: one thread at a time. No I/O and no clock. Memory: at most kMaxBytes wait in it.

#ifndef TIDEMARK_INTEGRATION_CHAOS_CHAOS_PIPE_H_
#define TIDEMARK_INTEGRATION_CHAOS_CHAOS_PIPE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <string_view>

namespace tidemark::integration {

struct PipeFaults {
  int64_t delay_ms = 0;
  int64_t bytes_per_s = 0;    // 0: as fast as it goes.
  size_t piece_bytes = 0;     // At most so many are written at once; 0: as many as there are.
  bool stands_still = false;  // Takes nothing and gives nothing, not even the end: half-open.

  enum class Harm {
    kNone,
    kCut,        // Ends the connection there, within a message or not.
    kCorrupt,    // Flips a bit of that byte.
    kDrop,       // Leaves out bytes from there on.
    kDuplicate,  // Repeats the bytes before it.
  };
  // Done once to a connection, at the byte of this number since the faults were set or since the
  // connection began.
  Harm harm = Harm::kNone;
  uint64_t harm_at_bytes = 0;
  size_t harm_bytes = 1;  // That are left out or repeated; of one Push() at most.
};

class ChaosPipe {
 public:
  static constexpr size_t kMaxBytes = 256 << 10;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  void SetFaults(const PipeFaults& faults);

  size_t room() const;
  // Requires: bytes.size() <= room().
  void Push(std::string_view bytes, int64_t now_ms);

  // Good until the next call of a function that is not const.
  std::string_view Ready(int64_t now_ms);
  void OnWritten(size_t bytes, int64_t now_ms);
  // When Ready() may have something that it has not at `now_ms`.
  int64_t NextMs(int64_t now_ms) const;

  bool empty() const { return waiting_bytes_ == 0; }
  bool stands_still() const { return faults_.stands_still; }
  // The connection is to end now, both ways.
  bool is_cut() const { return cut_ && empty(); }
  uint64_t harms() const { return harms_; }

 private:
  struct Chunk {
    std::string bytes;
    int64_t due_ms;
  };
  void DoHarm(std::string& bytes);
  size_t Allowance(int64_t now_ms) const;

  PipeFaults faults_;
  std::deque<Chunk> chunks_;
  size_t taken_ = 0;  // Of the first chunk.
  size_t waiting_bytes_ = 0;
  uint64_t pushed_bytes_ = 0;  // Since the faults were set.
  bool harmed_ = false;        // Likewise.
  bool cut_ = false;
  uint64_t harms_ = 0;
  int64_t allowed_since_ms_ = 0;  // What came since then may be written.
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_CHAOS_CHAOS_PIPE_H_
