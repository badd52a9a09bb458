#include "cache/mesh_batch.h"

#include <memory>
#include <utility>

#include "base/check.h"
#include "cache/lock_holder.h"
#include "cache/shard.h"
#include "cache/waiting_command.h"

namespace tidemark::cache {
namespace {

// What a recycled batch keeps.
constexpr size_t kReserveRequests = 1024;

}  // namespace

// A request that met a lock. The batch goes back when the last of its requests has run.
class RequestBatch::Waiter final : public WaitingCommand {
 public:
  Waiter(LockTable::Request locks, RequestBatch* batch, Item* request)
      : WaitingCommand(std::move(locks)), batch_(batch), request_(request) {}

 private:
  bool Run(Shard& shard) override { return batch_->RunOne(shard, *request_); }
  void Finish(Shard& shard) override {
    batch_->SendBackIfDone(shard);
    delete this;
  }

  RequestBatch* const batch_;
  Item* const request_;
};

// A request that met a value on disk. It has left its batch.
class RequestBatch::Detached final : public WaitingCommand, public MeshMessage {
 public:
  Detached(Item& request, ShardId origin, UnfinishedCall call)
      : WaitingCommand(LocksOf(*request.command, request.args, request.key_hash), std::move(call)),
        origin_(origin),
        command_(*request.command),
        args_(arena_.Copy(request.args)),
        key_hash_(request.key_hash),
        no_touch_(request.no_touch),
        session_(std::move(request.session)),
        slot_(request.slot) {}

  // At the origin.
  void Arrive(Shard& origin) override {
    origin.DetachedRequestDone();
    if (session_->session() != nullptr) {
      ReplyTape::Reader(reply_).PlayReply(session_->Answer(slot_));
      if (command_.is_write()) session_->Wrote(target_, assigned_);
      origin.NoteSlow(command_, args_, nanos_, session_->session());
      session_->CloseSlot(slot_);
      origin.QueueNotify(*session_);
    }
    delete this;
  }

 private:
  bool Run(Shard& target) override {
    nanos_ = target.Run(command_, args_, key_hash_, no_touch_, reply_);
    return nanos_ != Shard::kNotRun;
  }
  void Finish(Shard& target) override {
    target_ = target.id();
    if (target.sink() != nullptr) assigned_ = target.sink()->assigned();
    target.mesh().Send(origin_, this);
  }

  const ShardId origin_;
  const CommandSpec& command_;
  ArgumentArena arena_;
  const Args args_;
  const uint64_t key_hash_;
  const bool no_touch_;
  const SessionCoreRef session_;  // The origin's alone.
  const uint64_t slot_;
  ReplyTape reply_;
  uint64_t nanos_ = 0;
  ShardId target_;
  Sequence assigned_;
};

void RequestBatch::Open(ShardId origin, ShardId target) {
  DCHECK(empty());
  origin_ = origin;
  target_ = target;
  answered_ = false;
}

void RequestBatch::Add(const CommandSpec& command, Args args, uint64_t key_hash, bool no_touch,
                       SessionCore* session, uint64_t slot) {
  Item& request = requests_.emplace_back();
  request.command = &command;
  request.args = arguments_.Copy(args);
  request.key_hash = key_hash;
  request.no_touch = no_touch;
  request.session = SessionCoreRef::Share(session);
  request.slot = slot;
}

void RequestBatch::Arrive(Shard& shard) { answered_ ? Deliver(shard) : RunAll(shard); }

void RequestBatch::RunAll(Shard& target) {
  target.StartTiming();
  for (const Item& request : requests_) target.keyspace().PrefetchBucket(request.key_hash);
  for (const Item& request : requests_) target.keyspace().PrefetchEntry(request.key_hash);
  waiting_ =
      requests_.size() + 1;  // One for ourselves, so that nothing sends it back under our feet.
  for (Item& request : requests_) {
    if (target.MustWait(*request.command, request.args, request.key_hash)) {
      target.Acquire(
          new Waiter(LocksOf(*request.command, request.args, request.key_hash), this, &request));
    } else if (!RunOne(target, request)) {
      Detach(target, request);
    }
  }
  --waiting_;
  SendBackIfDone(target);
}

bool RequestBatch::RunOne(Shard& target, Item& request) {
  request.reply_position = replies_.end();
  request.nanos =
      target.Run(*request.command, request.args, request.key_hash, request.no_touch, replies_);
  if (request.nanos == Shard::kNotRun) return false;
  --waiting_;
  return true;
}

void RequestBatch::Detach(Shard& target, Item& request) {
  request.detached = true;
  --waiting_;
  target.Acquire(new Detached(request, origin_, target.cold_access().TakeUnfinished()));
}

void RequestBatch::SendBackIfDone(Shard& target) {
  if (waiting_ > 0) return;
  answered_ = true;
  assigned_ = target.sink() != nullptr ? target.sink()->assigned() : Sequence();
  target.mesh().Send(origin_, this);
}

void RequestBatch::Deliver(Shard& origin) {
  for (Item& request : requests_) {
    if (request.detached) {
      origin.RequestDetached();
      continue;
    }
    SessionCore& session = *request.session;
    if (session.session() == nullptr) continue;
    ReplyTape::Reader(replies_, request.reply_position).PlayReply(session.Answer(request.slot));
    if (request.command->is_write()) session.Wrote(target_, assigned_);
    origin.NoteSlow(*request.command, request.args, request.nanos, session.session());
    session.CloseSlot(request.slot);
    origin.QueueNotify(session);
  }
  origin.BatchDone(std::unique_ptr<RequestBatch>(this));
}

void RequestBatch::Clear() {
  requests_.clear();
  if (requests_.capacity() > kReserveRequests) std::vector<Item>().swap(requests_);
  arguments_.Clear();
  replies_.Clear();
}

}  // namespace tidemark::cache
