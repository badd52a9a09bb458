#include "cache/session_core.h"

#include "base/check.h"
#include "cache/multi_shard.h"
#include "cache/shard.h"

namespace tidemark::cache {

SessionCore::SessionCore(Shard& shard, Session& session, ReplyBuilder& reply,
                         SessionObserver& observer)
    : shard_(shard),
      session_(&session),
      reply_(&reply),
      observer_(&observer),
      slots_(8),
      written_(static_cast<size_t>(shard.shard_count())) {}

SessionCore::~SessionCore() = default;

void SessionCore::Orphan() {
  session_ = nullptr;
  reply_ = nullptr;
  observer_ = nullptr;
  held_.reset();
  begin_ = end_;
  for (Slot& slot : slots_) slot = Slot();
}

uint64_t SessionCore::OpenSlot() {
  if (pending() == slots_.size()) {
    std::vector<Slot> larger(slots_.size() * 2);
    for (uint64_t s = begin_; s != end_; ++s) larger[s & (larger.size() - 1)] = std::move(At(s));
    slots_.swap(larger);
  }
  return end_++;
}

ReplyBuilder& SessionCore::Answer(uint64_t slot) {
  if (session_ == nullptr) return shard_.discarded_replies();
  if (slot == begin_) return *reply_;
  At(slot).tape = shard_.TakeTape();
  return *At(slot).tape;
}

void SessionCore::CloseSlot(uint64_t slot) {
  if (session_ == nullptr) return;
  DCHECK(slot >= begin_ && slot < end_);
  if (slot != begin_) {
    Slot& parked = At(slot);
    parked.done = true;
    parked.bytes = parked.tape != nullptr ? parked.tape->bytes() : 0;
    parked_bytes_ += parked.bytes;
    return;
  }
  ++begin_;
  PlayReady();
}

void SessionCore::PlayReady() {
  for (; begin_ != end_ && At(begin_).done; ++begin_) {
    Slot& slot = At(begin_);
    slot.done = false;
    parked_bytes_ -= slot.bytes;
    if (slot.tape == nullptr) continue;
    for (ReplyTape::Reader reader(*slot.tape); !reader.done();) reader.PlayReply(*reply_);
    shard_.ReturnTape(std::move(slot.tape));
  }
  if (held_ != nullptr && held_slot_ == begin_) held_.release()->Start();
}

void SessionCore::Begin(std::unique_ptr<Transaction> transaction, uint64_t slot) {
  ++spanning_;
  if (slot == begin_) {
    transaction.release()->Start();
    return;
  }
  CHECK(held_ == nullptr);
  held_ = std::move(transaction);
  held_slot_ = slot;
}

void SessionCore::Notify() {
  notify_queued = false;
  if (observer_ != nullptr) observer_->OnReplies();
}

}  // namespace tidemark::cache
