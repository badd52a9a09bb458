// HeldReplies decides how much of one connection's output may leave while writes that it answers
// are not yet where the connection wants them: on this node's disk, or with replicas (AckNeed).
//
// A connection's output is one stream of bytes, and its order is the order of the commands. So what
// must wait is a suffix of it: everything from the first reply to such a write. Replies written
// before that, and everything on connections that have written nothing, leave at once.
//
//   held.Begin(output_position, session.pending(), session.written());  // Replies may wait from
//   here. held.OnCommand(ReplyKind::kWrite);                       // For each command taken, in
//   order. held.Note(position, session.pending(), session.written(), need, now_ns);   // After they
//   ran. connection.set_send_limit(held.limit()); if (held.Release(progress, ...))
//   connection.set_send_limit(held.limit());  // Something moved. if (held.HasOverdue(...))
//   held.Fail(...);                // Some waited too long: see there.
//
// It is told what the session's writes reached, not which reply belongs to which: what is noted
// together waits together. A write that runs on another shard waits for *that* shard.
//
// A core. Threading: confined to the connection's thread.
// Memory: at most kMaxHolds holds and one more for each shard and need; past that new writes join
// the last hold of their kind, which lies before them in the stream, so that replies wait longer
// than they must, never shorter. A byte for each reply that waits or is under way; see full().

#ifndef TIDEMARK_SERVER_HELD_REPLIES_H_
#define TIDEMARK_SERVER_HELD_REPLIES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/metrics/latency_histogram.h"
#include "server/ack_need.h"

namespace tidemark::server {

enum class ReplyKind : char {
  kRead,  // Of a command that writes nothing.
  kWrite,
  kSilent,  // None is written (CLIENT REPLY OFF).
};

class HeldReplies {
 public:
  static constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
  static constexpr size_t kMaxHolds = 4096;
  static constexpr size_t kMaxReplies = 16'384;

  // Replies are followed from here: the output's stream ends at `position`, `pending` commands are
  // still to be answered, and the session has written `written`. Requires: !following().
  void Begin(uint64_t position, size_t pending, const Watermarks& written);
  // Between Begin() and the time when nothing is held and Note() says that nothing is to be.
  bool following() const { return following_; }

  // A command was taken; its reply is written or will be. Requires: following().
  void OnCommand(ReplyKind kind) { kinds_ += static_cast<char>(kind); }

  // The output's stream ends at `end`, `pending` commands are still to be answered, and the
  // session's writes have reached `written` (by shard). What was added to the stream since the last
  // call, and all that follows, waits for whatever is new in `written` to meet `need`. Requires:
  // following().
  void Note(uint64_t end, size_t pending, const Watermarks& written, const AckNeed& need,
            int64_t now_ns);

  // Lets go of what is met. True if limit() has moved. `waited`, if not null, counts how long each
  // hold lasted.
  bool Release(const AckProgress& progress, int64_t now_ns, LatencyHistogram* waited);

  bool empty() const { return holds_.empty(); }
  // The position in the stream up to which bytes may leave.
  uint64_t limit() const { return empty() ? kNoLimit : holds_.front().begin; }
  // What the first of them waits for. Requires: !empty().
  const AckNeed& need() const { return holds_.front().need; }
  // Whether any waits for this node's disk.
  bool NeedsOwnDisk() const;
  // So many replies wait that the connection should take no more commands.
  bool full() const { return !empty() && noted_out_ - holds_.front().first >= kMaxReplies; }

  // Whether something has waited since `since_ns` or longer that may time out.
  bool HasOverdue(int64_t since_ns) const;
  // Gives up on all of that which is not met: the replies to those writes are to become errors, and
  // the rest of the stream moves up or down. `held` is the stream from limit() on, all of it, which
  // has been taken out; `put` is called for each piece of the new one, in order, puts it back, and
  // returns its size: the bytes as they were (need == null), or in their place an error about what
  // was needed. Returns how many became errors. Requires: HasOverdue(since_ns).
  //
  // Where the replies of several shards are under way at once, it is not known which write is late,
  // and all of the connection's that were noted with it, or not yet answered by then, fail. Such an
  // error promises nothing either way.
  using Put = std::function<size_t(std::string_view bytes, const AckNeed* need)>;
  size_t Fail(int64_t since_ns, const AckProgress& progress, std::string_view held, const Put& put);

 private:
  struct Hold {
    uint64_t begin;  // Bytes of the stream from here on wait...
    uint64_t first;  // ...which is where the reply of this number begins.
    uint64_t last;   // Up to here, not included, replies may be of the writes that are waited for.
    ShardId shard;
    Sequence sequence;
    AckNeed need;
    int64_t since_ns;
  };
  void Add(const Hold& hold);
  bool IsOverdue(const Hold& hold, int64_t since_ns) const {
    // Only when all its replies are there: what is not written yet cannot be replaced.
    return hold.need.timed && hold.since_ns <= since_ns && hold.last <= noted_out_;
  }
  // Which replies, from the first hold's on, are to become errors, and of what; and the holds that
  // go with them.
  std::vector<const AckNeed*> Doom(int64_t since_ns, const AckProgress& progress,
                                   std::vector<Hold>* given_up);
  ReplyKind& KindOf(uint64_t reply) {
    return reinterpret_cast<ReplyKind&>(kinds_[static_cast<size_t>(reply - kinds_begin_)]);
  }
  uint64_t taken() const { return kinds_begin_ + kinds_.size(); }
  void Forget();

  bool following_ = false;
  uint64_t noted_end_ = 0;  // Of the stream, at the last Note().
  uint64_t noted_out_ = 0;  // Replies written by then.
  Watermarks noted_;
  std::vector<Hold> holds_;  // In order of `begin`.
  std::string kinds_;        // ReplyKinds, from reply kinds_begin_ on.
  uint64_t kinds_begin_ = 0;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_HELD_REPLIES_H_
