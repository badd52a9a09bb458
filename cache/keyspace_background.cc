// What Keyspace does beside serving: the walk, active expiry, and giving memory back.

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "cache/keyspace.h"

namespace tidemark::cache {

// --- The walk ---

void Keyspace::BeginWalk(WalkVisitor* visitor) {
  CHECK(visitor != nullptr && visitor_ == nullptr);
  if (contents_.abandoned_walks == kMaxAbandonedWalks) {
    // Entries may have any of the marks: the next would pass some off as seen.
    AdvancePass(contents_, std::numeric_limits<size_t>::max());
  }
  contents_.mark = (contents_.mark + 1) % Entry::kMarks;
  contents_.pass_running = true;
  contents_.pass_cursor = 0;
  visitor_ = visitor;
  walked_ = &contents_;
  pass_done_ = false;
  if (front_ == nullptr) return;
  walk_reads_ = std::make_unique<WalkReads>(
      front_,
      [this](const Entry& entry, absl::StatusOr<tier::ReadValue> value, OwnedEntry earlier) {
        OnWalkRead(entry, std::move(value), std::move(earlier));
      });
}

bool Keyspace::WalkSome(size_t max_entries) {
  CHECK(visitor_ != nullptr);
  if (walk_reads_ != nullptr && (walk_reads_->RetryWaiting() || walk_waits())) return false;
  if (!pass_done_ && !AdvancePass(*walked_, max_entries)) return false;
  pass_done_ = true;
  if (walk_reads_ != nullptr && !walk_reads_->empty()) return false;
  EndWalk();
  return true;
}

void Keyspace::CancelWalk() {
  if (walked_ == &contents_ && !pass_done_) ++contents_.abandoned_walks;
  EndWalk();
}

void Keyspace::EndWalk() {
  visitor_ = nullptr;
  walked_ = nullptr;
  walk_reads_.reset();
}

void Keyspace::ShowUnseen(KeyRef key) {
  if (visitor_ == nullptr) return;
  if (Entry* entry = Present(key)) ShowPreImage(entry);
}

void Keyspace::ShowEntry(const Contents& contents, Entry* entry) {
  entry->set_mark(contents.mark);
  if (visitor_ == nullptr) return;
  if (entry->cold()) return walk_reads_->Begin(*entry);
  visitor_->OnEntry(*entry);
}

bool Keyspace::AdvancePass(Contents& contents, size_t max_entries) {
  // As many as have about as many cache lines as a core can wait for at once.
  constexpr int kPrefetchedBuckets = 4;
  size_t work = 0;
  int buckets = 0;
  do {
    if (buckets++ % kPrefetchedBuckets == 0) {
      contents.keys.PrefetchBuckets(contents.pass_cursor, kPrefetchedBuckets);
    }
    contents.pass_cursor = contents.keys.VisitBucket(contents.pass_cursor, [&](Entry* entry) {
      ++work;
      if (entry->mark() != contents.mark) ShowEntry(contents, entry);
    });
    ++work;  // So that empty buckets have a cost.
    if (contents.pass_cursor == 0) {
      contents.pass_running = false;
      contents.abandoned_walks = 0;
      return true;
    }
  } while (work < max_entries && (walk_reads_ == nullptr || !walk_reads_->full()));
  return false;
}

void Keyspace::SwapContents(Keyspace& other) {
  CHECK(!walking() && !other.walking());
  CHECK(other.cold_size() == 0 || other.front_ == front_);
  other.front_ = front_;
  contents_.Swap(other.contents_);
}

// --- Active expiry ---

bool Keyspace::ExpireSome(size_t max_visits) {
  // One bucket's worth; what a longer chain holds waits for the next round.
  constexpr size_t kMaxDue = 2 * kSlotsPerBucket;
  if (effects_only_ || expiring_size() == 0) return false;
  size_t buckets = 0;
  size_t visits = 0;
  size_t expired = 0;
  do {
    Entry* due[kMaxDue];
    size_t due_count = 0;
    expiry_cursor_ = contents_.expiring.VisitBucket(expiry_cursor_, [&](Entry* entry) {
      ++visits;
      if (due_count < kMaxDue && entry->ExpiredAt(now_ms_)) due[due_count++] = entry;
    });
    for (size_t i = 0; i < due_count; ++i) {
      Remove(hash_function_(due[i]->key()), due[i], DeleteCause::kExpired);
    }
    expired += due_count;
    ++buckets;
  } while (expiry_cursor_ != 0 && visits + buckets < max_visits);
  stats_.expired_actively += expired;
  // As Redis does: go on while more than a tenth of the sample had expired.
  return expired * 10 > visits;
}

// --- Memory ---

bool Keyspace::Housekeeping(size_t max_entries) {
  const auto free = std::find_if(detached_.begin(), detached_.end(), [this](const auto& contents) {
    return contents.get() != walked_;
  });
  if (free != detached_.end()) {
    if (FreeSome(**free, max_entries)) detached_.erase(free);
    return true;
  }
  if (contents_.pass_running && !walking()) {
    AdvancePass(contents_, max_entries);
    return true;
  }
  for (size_t work = 0; work < max_entries; ++work) {
    if (contents_.keys.sparse()) {
      contents_.keys.MergeOne();
    } else if (contents_.expiring.sparse()) {
      contents_.expiring.MergeOne();
    } else {
      return false;
    }
  }
  return true;
}

bool Keyspace::FreeSome(Contents& contents, size_t max_entries) {
  size_t work = 0;
  const auto free_entry = [&](Entry* entry) {
    ++work;
    contents.entry_bytes -= entry->memory_bytes();
    if (entry->cold()) LeaveLocation(contents, *entry);
    Entry::Destroy(entry);
  };
  const auto forget_entry = [](Entry*) {};
  while (work++ < max_entries) {
    if (!contents.keys.TakeLastBucket(free_entry) &&
        !contents.expiring.TakeLastBucket(forget_entry)) {
      return true;
    }
  }
  return false;
}

bool Keyspace::IsConsistent() const {
  if (!contents_.keys.IsConsistent() || !contents_.expiring.IsConsistent()) return false;
  size_t entry_bytes = 0;
  size_t expiring = 0;
  size_t cold_entries = 0;
  uint64_t cold_bytes = 0;
  bool marks_agree = true;
  uint64_t cursor = 0;
  do {
    cursor = contents_.keys.VisitBucket(cursor, [&](const Entry* entry) {
      entry_bytes += entry->memory_bytes();
      cold_entries += entry->cold() ? 1 : 0;
      cold_bytes += entry->cold() ? entry->value_bytes() : 0;
      marks_agree &= contents_.pass_running || entry->mark() == contents_.mark;
      if (!entry->has_expiry()) return;
      expiring += contents_.expiring.Find(hash_function_(entry->key()), entry->key()) == entry;
    });
  } while (cursor != 0);
  return marks_agree && entry_bytes == contents_.entry_bytes && expiring == expiring_size() &&
         cold_entries == cold_size() && cold_bytes == contents_.cold_bytes;
}

}  // namespace tidemark::cache
