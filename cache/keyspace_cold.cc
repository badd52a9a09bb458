// What Keyspace does with values on disk.

#include <utility>

#include "base/check.h"
#include "cache/keyspace.h"

namespace tidemark::cache {

void Keyspace::set_beside(Keyspace* beside) {
  beside_ = beside;
  if (beside == nullptr || taker_ == nullptr) return;
  beside->set_tier(front_);
  beside->set_victim_taker(taker_);
  beside->set_now_ms(now_ms_);
  // Nothing of it may be deleted, and until it is served nobody uses any of it.
  EvictionOptions options;
  options.limited = true;
  beside->SetEviction(options);
}

bool Keyspace::MakeCold(KeyRef key, std::string_view value, const tier::ValueLocation& at) {
  Entry* present = Present(key);
  // What was written is compared with what is there, not who has touched it since: whoever wrote
  // the same value again has changed nothing.
  if (present == nullptr || present->cold() || present->value() != value) return false;
  ++contents_.cold_entries;
  contents_.cold_bytes += value.size();
  Exchange(key.hash, present, Entry::CloneCold(*present, at));
  return true;
}

bool Keyspace::MakeWarm(KeyRef key, const tier::ValueLocation& at, std::string_view value) {
  Entry* present = Present(key);
  if (present == nullptr || !present->ColdAt(at)) return false;
  Entry* warm = Entry::CloneWarm(*present, value);
  LeaveLocation(contents_, *present);
  Exchange(key.hash, present, warm);
  return true;
}

bool Keyspace::WarmNow(KeyRef key, const tier::ValueLocation& at) {
  absl::StatusOr<tier::ReadValue> value = absl::DataLossError("lost before");
  if (!at.is_null()) value = front_->ReadNow(key.key, at);
  Entry* present = Present(key);
  if (value.ok() && value->bytes.size() == present->value_bytes()) {
    return MakeWarm(key, at, value->bytes);
  }
  // The change that was to be made to it is lost as well. A disk that recovers must not bring the
  // old value back.
  ++stats_.cold_lost;
  if (!at.is_null()) front_->Free(at);
  present->Relocate(tier::ValueLocation());
  return false;
}

bool Keyspace::IsAt(KeyRef key, const tier::ValueLocation& at) const {
  const Entry* present = Present(key);
  return present != nullptr && present->ColdAt(at);
}

bool Keyspace::Relocate(KeyRef key, const tier::ValueLocation& from,
                        const tier::ValueLocation& to) {
  Entry* present = Present(key);
  if (present == nullptr || !present->ColdAt(from)) return false;
  present->Relocate(to);
  return true;
}

void Keyspace::LeaveLocation(Contents& contents, const Entry& entry) {
  --contents.cold_entries;
  contents.cold_bytes -= entry.value_bytes();
  if (!entry.location().is_null()) front_->Free(entry.location());
}

void Keyspace::OnWalkRead(const Entry& entry, absl::StatusOr<tier::ReadValue> value,
                          OwnedEntry earlier) {
  const bool first = earlier == nullptr;
  const auto unreadable = [&] {
    ++stats_.cold_unreadable_in_walks;
    visitor_->OnUnreadable(entry, value.status());
  };
  if (!value.ok() && first) return unreadable();
  OwnedEntry shown(first ? Entry::CloneWarm(entry, value->bytes) : earlier.release());
  const Entry* now = Present({shown->key(), hash_function_(shown->key())});
  // Back in memory it may have the same value or another: who cares for the present gets it.
  if (now == nullptr || !now->cold()) return visitor_->OnLateEntry(*shown, now);
  // Written and moved to disk once more, or moved within the disk.
  if (!now->ColdAt(entry.location())) return walk_reads_->Begin(*now, std::move(shown));
  if (!value.ok()) return unreadable();
  if (first && now->expiry() == shown->expiry()) return visitor_->OnEntry(*shown);
  const OwnedEntry warm(Entry::CloneWarm(*now, value->bytes));
  visitor_->OnLateEntry(*shown, warm.get());
}

}  // namespace tidemark::cache
