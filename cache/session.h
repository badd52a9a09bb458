// Session is one source of commands on one shard's thread: a client connection, or an embedding
// caller. It sends each command to where its keys live and answers strictly in the order of the
// commands.
//
// A command whose keys are on this shard runs at once, unless it needs a value that is on disk:
// then it waits for that, and only commands on the same keys wait with it. One for another shard
// travels there in the batch of this turn. One that spans shards waits until the session's earlier
// commands have been answered, and holds back later ones, so that its place in the order is exact.
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_CACHE_SESSION_H_
#define TIDEMARK_CACHE_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/ids.h"
#include "cache/command.h"
#include "cache/reply.h"

namespace tidemark::cache {

class SessionCore;
class Shard;

// Told when a session's replies have moved on. Borrowed by the session.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // Replies reached the ReplyBuilder outside a call of Dispatch: flush them at the end of this
  // turn. The session may accept commands again if it did not before. May dispatch, and may destroy
  // the session.
  virtual void OnReplies() = 0;
};

class Session {
 public:
  // `reply` takes every reply, in order. All three outlive the session.
  Session(Shard& shard, ReplyBuilder& reply, SessionObserver& observer);
  // Replies still under way are dropped when they come.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Whether Dispatch may be called: false while a command that spans shards is under way, too many
  // replies are outstanding, or too much is on its way to other shards. OnReplies follows a false.
  bool ready() const;
  // Starts a data command (one with a handler or a scatter); `key_hash` is KeyHash of its first
  // key, or 0. Its arity fits. Requires ready(). The arguments are copied if they are needed after
  // the call.
  void Dispatch(const CommandSpec& command, Args args, uint64_t key_hash);

  // Commands whose replies are still under way.
  size_t pending() const;
  // For commands that the server runs itself: takes one reply, in the session's order. With nothing
  // pending this is `reply` itself.
  ReplyBuilder& OrderedReply();
  // For those that answer later. The function takes the place in the order that it had when it was
  // opened, and is called with the builder to answer into, once, on this shard's thread.
  using SlotId = uint64_t;
  SlotId OpenSlot();
  void CompleteSlot(SlotId slot, const std::function<void(ReplyBuilder&)>& answer);

  // What the session's last write reached: for each shard the sequence to wait for, 0 where it
  // wrote nothing (WAIT).
  const Watermarks& written() const;
  // Sequences count anew, or what was written is not this node's stream any more.
  void ForgetWritten();

  // CLIENT NO-TOUCH.
  void set_no_touch(bool no_touch) { no_touch_ = no_touch; }
  bool no_touch() const { return no_touch_; }
  // What the slow log shows of the client.
  std::string address;
  std::string name;

 private:
  friend class Shard;  // ExecuteDirectly answers into reply_.

  // Whether this shard has all the keys, of a command whose keys are on one shard; of others it
  // does not know.
  bool OwnsAll(const CommandSpec& command, Args args, uint64_t key_hash) const;
  // Dispatch where there are several shards.
  void Route(const CommandSpec& command, Args args, uint64_t key_hash);
  void SendOrSpan(const CommandSpec& command, Args args, uint64_t key_hash);
  void RunHere(const CommandSpec& command, Args args, uint64_t key_hash);
  // A value that the command needs is on disk: it answers into `slot` later.
  void WaitForDisk(const CommandSpec& command, Args args, uint64_t key_hash, uint64_t slot);
  void RunElsewhere(ShardId where, const CommandSpec& command, Args args, uint64_t key_hash);
  void RunAcrossShards(const CommandSpec& command, Args args);

  Shard& shard_;
  ReplyBuilder& reply_;
  SessionCore* const core_;  // One reference is ours.
  bool no_touch_ = false;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SESSION_H_
