// What Keyspace does with expiries that have extras (docs/expiry.md).

#include "cache/keyspace.h"

namespace tidemark::cache {

void Keyspace::UseExtras(Entry* entry) {
  if (entry->StaleAt(now_ms_)) ++stats_.stale_hits;
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
