#include "replication/apply/kept_copy.h"

#include <utility>

#include "base/check.h"
#include "base/ids.h"
#include "base/key_hash.h"

namespace tidemark::replication {

KeptCopy::KeptCopy(std::vector<bool> kept, cache::Keyspace* served, cache::Keyspace* staging)
    : kept_(std::move(kept)), served_(served), staging_(staging) {
  if (served_->walking()) served_->CancelWalk();
  served_->BeginWalk(this);
}

bool KeptCopy::CopySome(size_t max_entries) {
  if (stopped_) return false;
  // Others wait for a walk to end. Had one not, keys would be missing after the swap.
  CHECK(served_->walking(this));
  stopped_ = served_->WalkSome(max_entries);
  return !stopped_;
}

void KeptCopy::Before(cache::KeyRef key) {
  if (stopped_) return;
  const cache::Entry* entry = served_->Look(key);
  if (entry != nullptr && entry->cold() && served_->WarmNow(key, entry->location())) {
    // The walk may have come by and be reading it still: what it shows then is late.
    OnEntry(*served_->Look(key));
    ahead_.emplace(key.key);
  }
  served_->ShowUnseen(key);
}

void KeptCopy::OnLateEntry(const cache::Entry& entry, const cache::Entry* now) {
  if (!ahead_.contains(std::string(entry.key()))) OnEntry(entry);
}

void KeptCopy::Stop() {
  if (!std::exchange(stopped_, true) && served_->walking(this)) served_->CancelWalk();
}

bool KeptCopy::IsKept(std::string_view key, uint64_t hash) const {
  return kept_[ShardOf(key, hash, static_cast<int>(kept_.size())).value()];
}

void KeptCopy::OnEntry(const cache::Entry& entry) {
  const cache::KeyRef key = cache::KeyRef::Of(entry.key());
  if (IsKept(key.key, key.hash)) staging_->ApplySet(key, entry.value(), entry.expiry());
}

}  // namespace tidemark::replication
