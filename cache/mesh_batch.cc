#include "cache/mesh_batch.h"

#include <memory>
#include <utility>

#include "base/check.h"
#include "cache/lock_holder.h"
#include "cache/shard.h"

namespace tidemark::cache {
namespace {

// What a recycled batch keeps.
constexpr size_t kReserveRequests = 1024;

}  // namespace

// A request that met a lock. The batch goes back when the last of its requests has run.
class RequestBatch::Waiter final : public LockHolder {
 public:
  Waiter(LockTable::Request locks, RequestBatch* batch, Item* request)
      : LockHolder(std::move(locks)), batch_(batch), request_(request) {}

  void OnGranted(Shard& shard) override {
    batch_->RunOne(shard, *request_);
    shard.Release(this);
    batch_->SendBackIfDone(shard);
    delete this;
  }

 private:
  RequestBatch* const batch_;
  Item* const request_;
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
    } else {
      RunOne(target, request);
    }
  }
  --waiting_;
  SendBackIfDone(target);
}

void RequestBatch::RunOne(Shard& target, Item& request) {
  request.reply_position = replies_.end();
  request.nanos =
      target.Run(*request.command, request.args, request.key_hash, request.no_touch, replies_);
  --waiting_;
}

void RequestBatch::SendBackIfDone(Shard& target) {
  if (waiting_ > 0) return;
  answered_ = true;
  assigned_ = target.sink() != nullptr ? target.sink()->assigned() : Sequence();
  target.mesh().Send(origin_, this);
}

void RequestBatch::Deliver(Shard& origin) {
  for (Item& request : requests_) {
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
