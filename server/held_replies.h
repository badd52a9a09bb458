// HeldReplies decides how much of one connection's output may leave while writes that it answers
// are not durable yet (fsync=always).
//
// A connection's output is one stream of bytes, and its order is the order of the commands. So what
// must wait is a suffix of it: everything from the first reply to a write that is not durable.
// Replies written before that, and everything on connections that have written nothing, leave at
// once.
//
//   held.Note(connection.output_position(), session.written());   // After commands ran.
//   connection.set_send_limit(held.limit());
//   if (held.Release(durable)) connection.set_send_limit(held.limit());   // Durable has moved.
//
// It is told what the session's writes reached, not which reply belongs to which: what is noted
// together waits together. A write that runs on another shard waits for *that* shard.
//
// A core. Threading: confined to the connection's thread.
// Memory: at most kMaxHolds holds and one more a shard; past that new writes join the last hold of
// their shard, which lies before them in the stream, so that replies wait longer than they must,
// never shorter.

#ifndef TIDEMARK_SERVER_HELD_REPLIES_H_
#define TIDEMARK_SERVER_HELD_REPLIES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>

#include "base/ids.h"

namespace tidemark::server {

class HeldReplies {
 public:
  static constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
  static constexpr size_t kMaxHolds = 4096;

  // The output's stream ends at `end`, and the session's writes have reached `written` (by shard).
  // What was added to the stream since the last call, and all that follows, waits for whatever is
  // new in `written`.
  void Note(uint64_t end, const Watermarks& written);

  // Lets go of what `durable` covers. True if limit() has moved.
  bool Release(const Watermarks& durable);
  // Lets go of everything: nothing needs to wait any more. What was written so far never will.
  void ReleaseAll() { holds_.clear(); }

  bool empty() const { return holds_.empty(); }
  // The position in the stream up to which bytes may leave.
  uint64_t limit() const { return holds_.empty() ? kNoLimit : holds_.front().begin; }

 private:
  struct Hold {
    uint64_t begin;  // Bytes of the stream from here on wait.
    ShardId shard;
    Sequence sequence;  // For this to be durable.
  };
  void Add(ShardId shard, Sequence sequence);

  uint64_t noted_end_ = 0;
  Watermarks noted_;
  std::deque<Hold> holds_;  // In order of `begin`.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_HELD_REPLIES_H_
