#include "cache/session.h"

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/key_hash.h"
#include "cache/argument_arena.h"
#include "cache/commands/scan.h"
#include "cache/mesh_batch.h"
#include "cache/multi_shard.h"
#include "cache/multi_shard_commands.h"
#include "cache/session_core.h"
#include "cache/shard.h"
#include "cache/waiting_command.h"

namespace tidemark::cache {
namespace {

// A command of this shard's own that waits. It runs even if its session has gone meanwhile: it was
// accepted before.
class Waiter final : public WaitingCommand {
 public:
  Waiter(const CommandSpec& command, Args args, uint64_t key_hash, SessionCore& session,
         uint64_t slot, UnfinishedCall call = {})
      : WaitingCommand(LocksOf(command, args, key_hash), std::move(call)),
        command_(command),
        args_(arena_.Copy(args)),
        key_hash_(key_hash),
        session_(SessionCoreRef::Share(&session)),
        slot_(slot) {}

 private:
  bool Run(Shard& shard) override {
    shard.StartTiming();
    if (!shard.Execute(command_, args_, key_hash_, session_->Answer(slot_), session_->session())) {
      return false;
    }
    if (command_.is_write() && shard.sink() != nullptr) {
      session_->Wrote(shard.id(), shard.sink()->assigned());
    }
    return true;
  }

  void Finish(Shard& shard) override {
    session_->CloseSlot(slot_);
    shard.QueueNotify(*session_);
    delete this;
  }

  const CommandSpec& command_;
  ArgumentArena arena_;
  const Args args_;
  const uint64_t key_hash_;
  const SessionCoreRef session_;
  const uint64_t slot_;
};

}  // namespace

Session::Session(Shard& shard, ReplyBuilder& reply, SessionObserver& observer)
    : shard_(shard), reply_(reply), core_(new SessionCore(shard, *this, reply, observer)) {}

Session::~Session() {
  core_->Orphan();
  core_->Release();
}

bool Session::ready() const { return core_->ready() && !shard_.MeshIsFull(*core_); }

size_t Session::pending() const { return core_->pending(); }

const Watermarks& Session::written() const { return core_->written(); }

void Session::ForgetWritten() { core_->ForgetWritten(); }

bool Session::OwnsAll(const CommandSpec& command, Args args, uint64_t key_hash) const {
  if (command.scatter != Scatter::kNone) return false;
  if (command.keys.first == 0) return true;
  const std::string_view key = args[static_cast<size_t>(command.keys.first)];
  return ShardOf(key, key_hash, shard_.shard_count()) == shard_.id();
}

// Only tail calls, so that the way to a command saves no registers.
void Session::Dispatch(const CommandSpec& command, Args args, uint64_t key_hash) {
  if (shard_.shard_count() > 1) return Route(command, args, key_hash);
  if (core_->pending() != 0 || !shard_.locks_empty()) return RunHere(command, args, key_hash);
  shard_.ExecuteDirectly(command, args, key_hash, *this);
}

void Session::Route(const CommandSpec& command, Args args, uint64_t key_hash) {
  if (!OwnsAll(command, args, key_hash)) return SendOrSpan(command, args, key_hash);
  if (core_->pending() != 0 || !shard_.locks_empty()) return RunHere(command, args, key_hash);
  shard_.ExecuteDirectly(command, args, key_hash, *this);
}

void Session::SendOrSpan(const CommandSpec& command, Args args, uint64_t key_hash) {
  const int shards = shard_.shard_count();
  const auto owner = [&](size_t position) {
    return ShardOf(args[position], KeyHash(args[position]), shards);
  };
  switch (command.scatter) {
    case Scatter::kNone: {
      const auto first = static_cast<size_t>(command.keys.first);
      return RunElsewhere(ShardOf(args[first], key_hash, shards), command, args, key_hash);
    }
    case Scatter::kAllShards:
      return RunAcrossShards(command, args);
    case Scatter::kCursor: {
      ReplyTape errors;
      const std::optional<ScanRequest> request = ParseScan(args, errors);
      // Wrong arguments, and shards that do not exist, are answered here as anywhere.
      if (!request || request->shard >= static_cast<uint64_t>(shards) ||
          request->shard == shard_.id().value()) {
        return RunHere(command, args, key_hash);
      }
      return RunElsewhere(ShardId(static_cast<uint16_t>(request->shard)), command, args, key_hash);
    }
    case Scatter::kSum:
    case Scatter::kGather:
    case Scatter::kPairs:
    case Scatter::kCustom:
      break;
  }
  const std::vector<int> positions = KeyPositions(command, args);
  DCHECK(!positions.empty());
  const ShardId first = owner(static_cast<size_t>(positions.front()));
  for (int position : positions) {
    if (owner(static_cast<size_t>(position)) != first) return RunAcrossShards(command, args);
  }
  if (first == shard_.id()) return RunHere(command, args, key_hash);
  RunElsewhere(first, command, args, key_hash);
}

void Session::RunHere(const CommandSpec& command, Args args, uint64_t key_hash) {
  if (!shard_.locks_empty() && shard_.MustWait(command, args, key_hash)) {
    shard_.Acquire(new Waiter(command, args, key_hash, *core_, core_->OpenSlot()));
    return;
  }
  const uint64_t slot = core_->OpenSlot();
  if (!shard_.Execute(command, args, key_hash, core_->Answer(slot), this)) {
    return WaitForDisk(command, args, key_hash, slot);
  }
  if (command.is_write() && shard_.sink() != nullptr) {
    core_->Wrote(shard_.id(), shard_.sink()->assigned());
  }
  core_->CloseSlot(slot);
}

void Session::WaitForDisk(const CommandSpec& command, Args args, uint64_t key_hash, uint64_t slot) {
  shard_.Acquire(
      new Waiter(command, args, key_hash, *core_, slot, shard_.cold_access().TakeUnfinished()));
}

void Session::RunElsewhere(ShardId where, const CommandSpec& command, Args args,
                           uint64_t key_hash) {
  if (where == shard_.id()) return RunHere(command, args, key_hash);
  const uint64_t slot = core_->OpenSlot();
  shard_.SendRequest(where, command, args, key_hash, no_touch_, *core_, slot);
}

void Session::RunAcrossShards(const CommandSpec& command, Args args) {
  const uint64_t slot = core_->OpenSlot();
  // By what this shard knows of the node's memory. Each participant makes room for its own part.
  if (!shard_.MakeRoom(command, args)) {
    shard_.RefuseForMemory(command, core_->Answer(slot));
    return core_->CloseSlot(slot);
  }
  ReplyTape errors;
  std::unique_ptr<Transaction> transaction =
      MakeMultiShardCommand(*core_, slot, command, args, errors);
  if (transaction == nullptr) {
    ReplyTape::Reader(errors).PlayReply(core_->Answer(slot));
    core_->CloseSlot(slot);
    shard_.Account(command, args, Shard::Outcome::kFailed, this);
    return;
  }
  core_->Begin(std::move(transaction), slot);
}

ReplyBuilder& Session::OrderedReply() {
  if (core_->pending() == 0) return reply_;
  const uint64_t slot = core_->OpenSlot();
  ReplyBuilder& reply = core_->Answer(slot);
  core_->CloseSlot(slot);  // The caller fills it before anything can play it.
  return reply;
}

Session::SlotId Session::OpenSlot() { return core_->OpenSlot(); }

void Session::CompleteSlot(SlotId slot, const std::function<void(ReplyBuilder&)>& answer) {
  answer(core_->Answer(slot));
  core_->CloseSlot(slot);
  shard_.QueueNotify(*core_);
}

}  // namespace tidemark::cache
