// SessionCore is the part of a Session that answers under way refer to: it lives until the last of
// them has come, even if the session is gone by then.
//
// It keeps the order of replies: each command that is not answered at once takes a slot, and a
// slot's reply reaches the ReplyBuilder when all earlier ones have.
//
// Threading: confined to the session's shard. Other shards hold references but never touch them.

#ifndef TIDEMARK_CACHE_SESSION_CORE_H_
#define TIDEMARK_CACHE_SESSION_CORE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/intrusive_ptr.h"
#include "cache/reply.h"
#include "cache/reply_tape.h"
#include "cache/session.h"

namespace tidemark::cache {

class Shard;
class Transaction;

class SessionCore {
 public:
  // More than this many commands, or bytes of replies that wait for earlier ones, and the session
  // takes no more for now.
  static constexpr uint64_t kMaxPending = 1024;
  static constexpr size_t kMaxParkedBytes = 1 << 20;

  SessionCore(Shard& shard, Session& session, ReplyBuilder& reply, SessionObserver& observer);
  ~SessionCore();

  Shard& shard() { return shard_; }
  // Null once the session is gone.
  Session* session() { return session_; }
  // The session is gone: answers that come are dropped.
  void Orphan();

  uint64_t pending() const { return end_ - begin_; }
  bool ready() const {
    return pending() < kMaxPending && parked_bytes_ < kMaxParkedBytes && spanning_ == 0;
  }
  // Asks for OnReplies once what makes the shard refuse commands is over.
  bool waits_for_mesh = false;

  uint64_t OpenSlot();
  // Where the slot's reply goes; then CloseSlot. One slot at a time.
  ReplyBuilder& Answer(uint64_t slot);
  void CloseSlot(uint64_t slot);

  // A transaction of this session: begins once nothing is pending before its slot; until it is done
  // the session is not ready. Owned by itself from Start on.
  void Begin(std::unique_ptr<Transaction> transaction, uint64_t slot);
  void TransactionDone() { --spanning_; }

  // Calls the observer, unless the session is gone.
  void Notify();
  bool notify_queued = false;

  void Wrote(ShardId shard, Sequence sequence) { written_[shard.value()] = sequence; }
  const Watermarks& written() const { return written_; }
  void ForgetWritten() { written_.assign(written_.size(), Sequence()); }

  void AddRef() const { ++refs_; }
  void Release() const {
    if (--refs_ == 0) delete this;
  }

 private:
  struct Slot {
    std::unique_ptr<ReplyTape> tape;  // Of a reply that waits for its turn.
    size_t bytes = 0;                 // As counted in parked_bytes_.
    bool done = false;
  };
  Slot& At(uint64_t slot) { return slots_[slot & (slots_.size() - 1)]; }
  void PlayReady();

  mutable uint64_t refs_ = 1;
  Shard& shard_;
  Session* session_;
  ReplyBuilder* reply_;
  SessionObserver* observer_;
  std::vector<Slot> slots_;  // A ring; its size is a power of two.
  uint64_t begin_ = 0;       // The oldest slot that is open.
  uint64_t end_ = 0;
  size_t parked_bytes_ = 0;
  int spanning_ = 0;
  std::unique_ptr<Transaction> held_;  // Waits for the slots before its own.
  uint64_t held_slot_ = 0;
  Watermarks written_;
};

using SessionCoreRef = IntrusivePtr<SessionCore>;

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SESSION_CORE_H_
