// What Keyspace does with expiries that have extras (docs/expiry.md).

#include <algorithm>

#include "cache/keyspace.h"

namespace tidemark::cache {
namespace {

// A use moves an idle key's moment once so large a part of the idle time is to be gained: fewer
// parts would let keys go earlier, more would cost the log and the replicas more records.
constexpr int64_t kPartsOfIdleTime = 8;

}  // namespace

Expiry Keyspace::AfterUse(const Expiry& expiry) const {
  if (expiry.extras.idle_ms == 0) return expiry;
  Expiry used = Expiry::OfUseAt(now_ms_, expiry.extras);
  // A clock that goes back takes nobody's time away.
  used.at_ms = std::max(used.at_ms, expiry.at_ms);
  return used;
}

void Keyspace::UseExtras(Entry* entry) {
  if (entry->StaleAt(now_ms_)) ++stats_.stale_hits;
  RenewIdle(entry);
}

void Keyspace::RenewIdle(Entry* entry) {
  if (effects_only_) return;
  const Expiry present = entry->expiry();
  const Expiry used = AfterUse(present);
  const int64_t gained_ms = used.at_ms - present.at_ms;
  if (gained_ms == 0) return;
  // The last step before the last moment is worth it however small it is.
  const bool to_the_last = used.at_ms == present.extras.last_moment_ms();
  if (gained_ms < present.extras.idle_ms / kPartsOfIdleTime && !to_the_last) return;
  ShowPreImage(entry);
  entry->ChangeMoment(used.at_ms);
  ++stats_.idle_renewals;
  if (sink_ != nullptr) sink_->Expire(entry->key(), used);
}

bool Keyspace::AskToRevalidate(KeyRef key, int64_t lease_ms) {
  Entry* entry = Present(key);
  if (effects_only_ || entry == nullptr || entry->ExpiredAt(now_ms_)) return false;
  if (!entry->StaleAt(now_ms_) || entry->asked_until_ms() > now_ms_) return false;
  entry->set_asked_until_ms(now_ms_ + lease_ms);
  ++stats_.revalidations_asked;
  return true;
}

}  // namespace tidemark::cache
