// Transaction carries out what needs several shards at once: it takes locks on each in ascending
// order, runs a part on each while all are held, and lets go.
//
// The fixed order of shards means that no two transactions ever wait for each other in a circle. A
// part becomes visible only while the keys of every other part are still locked or already changed,
// so nobody sees half.
//
// A part that needs values from disk has them read once it has its locks and before the next shard
// is asked for its own: so all is at hand when the parts run, and they run at once.
//
// In messages: lock(0) -> lock(1) -> ... from shard to shard; the last one to grant sends "run" to
// all; each runs its part and reports to the origin. With two phases the locks stay until the
// second has run, and the origin decides in between.
//
// Threading: the object is handed around; between two messages each Part is its shard's, and what
// the origin writes (in Between) the participants only read.

#ifndef TIDEMARK_CACHE_MULTI_SHARD_H_
#define TIDEMARK_CACHE_MULTI_SHARD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "base/buffer.h"
#include "base/ids.h"
#include "cache/argument_arena.h"
#include "cache/cold_access.h"
#include "cache/command.h"
#include "cache/lock_holder.h"
#include "cache/mesh.h"
#include "cache/mutation_sink.h"
#include "cache/reply_tape.h"
#include "cache/session_core.h"

namespace tidemark::cache {

class Transaction {
 public:
  virtual ~Transaction() = default;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // On the origin's thread. The transaction deletes itself when it is done.
  void Start();

 protected:
  class Part final : public LockHolder, public MeshMessage {
   public:
    Part(Transaction& transaction, ShardId shard, size_t index, LockTable::Request locks)
        : LockHolder(std::move(locks)), shard(shard), transaction_(transaction), index_(index) {}

    void OnGranted(Shard& at) override;
    void Arrive(Shard& at) override;

    const ShardId shard;
    ReplyTape reply;
    uint64_t nanos = 0;      // Of running, over all phases.
    Sequence assigned;       // The shard's newest mutation after the part had run.
    bool read_only = false;  // The shard took no writes.
    StagedValues staged;     // What was read from disk for it.

   private:
    friend class Transaction;
    enum class Step { kLock, kRun, kDone };

    // Has what it needs read, then lets the next shard lock.
    void GoOn(Shard& at);

    Transaction& transaction_;
    const size_t index_;
    Step step_ = Step::kLock;
  };

  Transaction(Shard& origin, int phases) : origin_(origin), phases_(phases) {}

  // In ascending order of shards.
  Part& AddPart(ShardId shard, LockTable::Request locks);
  std::deque<Part>& parts() { return parts_; }
  Shard& origin() { return origin_; }

  // On the thread of the part's shard, with its locks held, perhaps several times: the values on
  // disk that it needs, other than those that are staged.
  virtual std::vector<NeededValue> NeededValues(Shard& shard, Part& part, size_t index) {
    return {};
  }
  // On the thread of the part's shard, with all locks held everywhere.
  virtual void RunPart(Shard& shard, Part& part, size_t index, int phase) = 0;
  // On the origin, when all parts have run phase 0 of two.
  virtual void Between() {}
  // On the origin, when all is done and released.
  virtual void Finish() = 0;

 private:
  void RunEverywhere(Shard& from);
  void RunAt(Shard& at, Part& part);
  void PartDone();

  Shard& origin_;
  const int phases_;
  int phase_ = 0;
  size_t done_ = 0;         // Parts that have run this phase; the origin's.
  std::deque<Part> parts_;  // Stable addresses: parts are messages and lock requests.
};

// A command of a session whose keys lie on several shards.
class CommandTransaction : public Transaction {
 public:
  CommandTransaction(SessionCore& session, uint64_t slot, const CommandSpec& command, Args args,
                     int phases);

 protected:
  // A participant's share of the command, to run as a command of its own.
  struct Share {
    std::vector<std::string_view> args;  // The name, then its keys, each with `per_key` - 1 values.
    std::vector<uint64_t> hashes;
  };
  // Cuts the arguments by the owners of their keys, with a part for each.
  void CutByKeys();
  // A part on every shard, which covers the whole of it.
  void TakeWholeShards();

  const CommandSpec& command() const { return command_; }
  Args args() const { return args_; }
  const Share& share(size_t part) const { return shares_[part]; }
  // By key, in the order of the arguments: the part that has it. Requires CutByKeys.
  const std::vector<size_t>& part_of_key() const { return part_of_key_; }
  bool no_touch() const { return no_touch_; }

  // Whether the part needs the values of its keys.
  virtual bool ReadsValues(size_t part) const { return false; }
  std::vector<NeededValue> NeededValues(Shard& shard, Part& part, size_t index) final;
  // The value of an entry of the part's shard, to be read when the entry may be gone and on another
  // thread. Null: it cannot be read, and the part's reply is the error.
  static BufferRef HoldValue(Shard& shard, Part& part, const Entry& entry);

  // Runs the command's handler on a part's share, inside the transaction's marks if it writes.
  void RunShare(Shard& shard, Part& part, size_t index);
  // Tells the shard's sink, if it has one, that what `write` does is a part of this transaction. On
  // a shard that is read_only() nothing is done.
  void Mark(Shard& shard, absl::FunctionRef<void()> write);

  // Who writes, where that is not everyone who takes part. Before anyone has written.
  void SetWriters(std::vector<ShardId> shards) { info_.participants = std::move(shards); }

  // The one reply.
  virtual void Answer(ReplyBuilder& reply) = 0;
  void Finish() final;

 private:
  SessionCoreRef session_;
  const uint64_t slot_;
  const CommandSpec& command_;
  const bool no_touch_;
  ArgumentArena arena_;
  Args args_;
  std::vector<Share> shares_;
  std::vector<size_t> part_of_key_;  // By key, in the order of the arguments.
  TransactionInfo info_;
};

// The whole keyspace at one instant: runs `each` on every shard while all are held exclusively,
// then `done` on the origin's thread.
class CutTransaction final : public Transaction {
 public:
  CutTransaction(Shard& origin, std::function<void(Shard&)> each,
                 absl::AnyInvocable<void(Shard&)> done);

 private:
  void RunPart(Shard& shard, Part& part, size_t index, int phase) override;
  void Finish() override;

  const std::function<void(Shard&)> each_;
  absl::AnyInvocable<void(Shard&)> done_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_MULTI_SHARD_H_
