#include "cache/multi_shard.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/cycle_clock.h"
#include "base/key_hash.h"
#include "cache/commands/errors.h"
#include "cache/shard.h"

namespace tidemark::cache {

// --- The protocol ---

Transaction::Part& Transaction::AddPart(ShardId shard, LockTable::Request locks) {
  CHECK(parts_.empty() || parts_.back().shard < shard);
  return parts_.emplace_back(*this, shard, parts_.size(), std::move(locks));
}

void Transaction::Start() {
  origin_.TransactionStarted();
  origin_.mesh().Send(parts_.front().shard, &parts_.front());
}

void Transaction::Part::Arrive(Shard& at) {
  switch (step_) {
    case Step::kLock:
      return at.Acquire(this);
    case Step::kRun:
      return transaction_.RunAt(at, *this);
    case Step::kDone:
      return transaction_.PartDone();
  }
}

void Transaction::Part::OnGranted(Shard& at) { GoOn(at); }

void Transaction::Part::GoOn(Shard& at) {
  if (at.cold_values() != nullptr) {
    std::vector<NeededValue> needed = transaction_.NeededValues(at, *this, index_);
    if (!needed.empty() && !at.cold_values()->StageCached(needed, staged)) {
      return at.cold_values()->Fetch(std::move(needed), &staged, [this, &at] { GoOn(at); });
    }
  }
  if (index_ + 1 == transaction_.parts_.size()) return transaction_.RunEverywhere(at);
  Part& next = transaction_.parts_[index_ + 1];
  at.mesh().Send(next.shard, &next);
}

void Transaction::RunEverywhere(Shard& from) {
  for (Part& part : parts_) part.step_ = Part::Step::kRun;
  // Once the last one is sent the transaction may be done and gone.
  for (size_t i = 0, count = parts_.size(); i < count; ++i) {
    from.mesh().Send(parts_[i].shard, &parts_[i]);
  }
}

void Transaction::RunAt(Shard& at, Part& part) {
  at.StartTiming();
  const CycleClock& cycles = CycleClock::Calibrated();
  const uint64_t start = cycles.Now();
  part.read_only = at.read_only();
  RunPart(at, part, part.index_, phase_);
  part.nanos += cycles.ToNanos(cycles.Now() - start);
  if (at.sink() != nullptr) part.assigned = at.sink()->assigned();
  if (phase_ + 1 == phases_) at.Release(&part);
  part.step_ = Part::Step::kDone;
  at.mesh().Send(origin_.id(), &part);  // The last touch: the transaction may be gone at once.
}

void Transaction::PartDone() {
  if (++done_ < parts_.size()) return;
  done_ = 0;
  if (++phase_ < phases_) {
    Between();
    return RunEverywhere(origin_);
  }
  Finish();
  origin_.TransactionDone();
  delete this;
}

// --- Commands ---

CommandTransaction::CommandTransaction(SessionCore& session, uint64_t slot,
                                       const CommandSpec& command, Args args, int phases)
    : Transaction(session.shard(), phases),
      session_(SessionCoreRef::Share(&session)),
      slot_(slot),
      command_(command),
      no_touch_(session.session()->no_touch()),
      args_(arena_.Copy(args)) {
  info_.id = origin().NewTransactionId();
}

void CommandTransaction::CutByKeys() {
  const int shards = origin().shard_count();
  const std::vector<int> positions = KeyPositions(command_, args_);
  struct Key {
    size_t position;
    uint64_t hash;
    ShardId owner;
  };
  std::vector<Key> keys;
  for (int position : positions) {
    const std::string_view key = args_[static_cast<size_t>(position)];
    const uint64_t hash = KeyHash(key);
    keys.push_back({static_cast<size_t>(position), hash, ShardOf(key, hash, shards)});
  }
  std::vector<ShardId> owners;
  for (const Key& key : keys) owners.push_back(key.owner);
  std::sort(owners.begin(), owners.end());
  owners.erase(std::unique(owners.begin(), owners.end()), owners.end());

  const LockMode mode = command_.is_write() ? LockMode::kExclusive : LockMode::kShared;
  const auto step = static_cast<size_t>(command_.keys.step);
  part_of_key_.resize(keys.size());
  for (ShardId owner : owners) {
    Share& share = shares_.emplace_back();
    share.args.push_back(args_[0]);
    for (size_t k = 0; k < keys.size(); ++k) {
      if (keys[k].owner != owner) continue;
      part_of_key_[k] = shares_.size() - 1;
      share.hashes.push_back(keys[k].hash);
      const Args with_values = args_.subspan(keys[k].position, step);
      share.args.insert(share.args.end(), with_values.begin(), with_values.end());
    }
    AddPart(owner, LockTable::Request::Keys(share.hashes, mode));
    info_.participants.push_back(owner);
  }
}

void CommandTransaction::TakeWholeShards() {
  const LockMode mode = command_.is_write() ? LockMode::kExclusive : LockMode::kShared;
  for (int i = 0; i < origin().shard_count(); ++i) {
    const ShardId shard(static_cast<uint16_t>(i));
    shares_.push_back({.args = {args_.begin(), args_.end()}, .hashes = {0}});
    AddPart(shard, LockTable::Request::WholeShard(mode));
    info_.participants.push_back(shard);
  }
}

void CommandTransaction::RunShare(Shard& shard, Part& part, size_t index) {
  const Share& mine = shares_[index];
  ColdAccess& cold = shard.cold_access();
  CommandContext context{shard.keyspace(), command_, mine.hashes.front(), no_touch_, &cold};
  if (shard.cold_values() != nullptr) cold.set_staged(&part.staged, shard.cold_values()->front());
  // What it may free. It is too late to refuse: other shards may have run their parts.
  shard.MakeRoom(command_, mine.args);
  if (command_.is_write()) {
    Mark(shard, [&] { command_.handler(context, mine.args, part.reply); });
  } else {
    command_.handler(context, mine.args, part.reply);
  }
  cold.set_staged(nullptr, nullptr);
}

std::vector<NeededValue> CommandTransaction::NeededValues(Shard& shard, Part& part, size_t index) {
  std::vector<NeededValue> needed;
  if (!ReadsValues(index)) return needed;
  const Share& mine = shares_[index];
  const auto step = static_cast<size_t>(command_.keys.step);
  for (size_t k = 0; k < mine.hashes.size(); ++k) {
    const KeyRef key{mine.args[1 + step * k], mine.hashes[k]};
    const Entry* entry = shard.keyspace().Look(key);
    if (entry == nullptr || !entry->cold() || part.staged.contains(entry->location())) continue;
    needed.push_back({std::string(key.key), entry->location()});
  }
  return needed;
}

BufferRef CommandTransaction::HoldValue(Shard& shard, Part& part, const Entry& entry) {
  if (!entry.cold()) {
    BufferRef shared = entry.value_buffer();
    return shared ? shared : Buffer::Copy(entry.value());
  }
  ColdAccess& cold = shard.cold_access();
  cold.set_staged(&part.staged, shard.cold_values()->front());
  const absl::StatusOr<tier::ReadValue>& value = *cold.Look(entry);
  cold.set_staged(nullptr, nullptr);
  if (value.ok()) return Buffer::Copy(value->bytes);
  part.reply.Error(UnreadableValue(value.status()));
  return BufferRef();
}

void CommandTransaction::Mark(Shard& shard, absl::FunctionRef<void()> write) {
  // Equal on all participants: it changes at cuts only. Finish() answers the error.
  if (shard.read_only()) return;
  MutationSink* const sink = shard.sink();
  if (sink != nullptr) sink->BeginTransaction(info_);
  write();
  if (sink != nullptr) sink->EndTransaction();
}

void CommandTransaction::Finish() {
  if (command_.is_write()) {
    for (Part& part : parts()) session_->Wrote(part.shard, part.assigned);
  }
  ReplyBuilder& reply = session_->Answer(slot_);
  const uint64_t errors_before = reply.errors();
  if (command_.is_write() && parts().front().read_only) {
    reply.Error(kReadOnlyReplica);
  } else {
    Answer(reply);
  }
  const bool failed = reply.errors() != errors_before;
  uint64_t nanos = 0;
  for (const Part& part : parts()) nanos += part.nanos;
  origin().AccountTransaction(command_, args_, nanos,
                              failed ? Shard::Outcome::kFailed : Shard::Outcome::kAnswered,
                              session_->session());
  session_->TransactionDone();
  session_->CloseSlot(slot_);
  origin().QueueNotify(*session_);
}

// --- The cut ---

// Two phases, so that nobody runs anything between one shard's `each` and another's.
CutTransaction::CutTransaction(Shard& origin, std::function<void(Shard&)> each,
                               absl::AnyInvocable<void(Shard&)> done)
    : Transaction(origin, 2), each_(std::move(each)), done_(std::move(done)) {
  for (int i = 0; i < origin.shard_count(); ++i) {
    AddPart(ShardId(static_cast<uint16_t>(i)),
            LockTable::Request::WholeShard(LockMode::kExclusive));
  }
}

void CutTransaction::RunPart(Shard& shard, Part& part, size_t index, int phase) {
  if (phase == 0) each_(shard);
}

void CutTransaction::Finish() { done_(origin()); }

}  // namespace tidemark::cache
