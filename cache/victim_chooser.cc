#include "cache/victim_chooser.h"

#include <algorithm>
#include <span>

namespace tidemark::cache {
namespace {

// How far one sample, or one look for a random key, goes through a table that has lost its keys.
constexpr int kMaxBuckets = 64;
// An entry that may not go is looked at and adds nothing to the choice: so many of them count as
// one sample. Where nine in ten are on disk already, the tenth is then chosen among others all the
// same.
constexpr int kVainLooks = 4;

}  // namespace

VictimChooser::Victim VictimChooser::Choose(const KeyTable& keys, const KeyTable& expiring,
                                            const UseTracker& uses,
                                            absl::FunctionRef<bool(const Entry&)> may_go,
                                            int rounds) {
  if (options_.policy == EvictionPolicy::kNoEviction) return {};
  const KeyTable& table = OnlyVolatile(options_.policy) ? expiring : keys;
  const bool random = options_.policy == EvictionPolicy::kAllKeysRandom ||
                      options_.policy == EvictionPolicy::kVolatileRandom;
  // Time has passed since they were ranked.
  for (Candidate& candidate : std::span(begin(), end())) {
    candidate.rank = Rank(candidate.seen, uses);
  }
  for (int round = 0; round < rounds && table.size() > 0; ++round) {
    Victim victim;
    if (random) {
      victim = AtRandom(table, may_go);
    } else {
      Sample(table, uses, may_go);
      victim = TakeBest(table, may_go);
    }
    if (victim.entry != nullptr) return victim;
  }
  return {};
}

uint64_t VictimChooser::Seen(const Entry& entry) const {
  if (options_.policy == EvictionPolicy::kVolatileTtl) {
    return static_cast<uint64_t>(entry.expire_at_ms());
  }
  return entry.use();
}

uint64_t VictimChooser::Rank(uint64_t seen, const UseTracker& uses) const {
  if (options_.policy == EvictionPolicy::kVolatileTtl) return seen;
  return uses.Rank(static_cast<uint32_t>(seen));
}

VictimChooser::Victim VictimChooser::AtRandom(const KeyTable& table,
                                              absl::FunctionRef<bool(const Entry&)> may_go) {
  uint64_t cursor = Random();
  for (int bucket = 0; bucket < kMaxBuckets; ++bucket) {
    Entry* choice = nullptr;
    uint64_t found = 0;
    cursor = table.VisitBucket(cursor, [&](Entry* entry) {
      if (may_go(*entry) && Random() % ++found == 0) choice = entry;
    });
    if (choice != nullptr) return {choice, hash_function_(choice->key())};
  }
  return {};
}

void VictimChooser::Sample(const KeyTable& table, const UseTracker& uses,
                           absl::FunctionRef<bool(const Entry&)> may_go) {
  // As many as have about as many cache lines as a core can wait for at once.
  constexpr int kPrefetchedBuckets = 4;
  const int samples = std::min(options_.samples, kMaxSamples);
  const int expected_buckets = samples / 5 + 1;
  int looks = 0;
  for (int bucket = 0; bucket < kMaxBuckets && looks < samples * kVainLooks; ++bucket) {
    if (bucket % kPrefetchedBuckets == 0) {
      table.PrefetchBuckets(hand_, std::min(expected_buckets, kPrefetchedBuckets));
    }
    hand_ = table.VisitBucket(hand_, [&](const Entry* entry) {
      const bool may = may_go(*entry);
      looks += may ? kVainLooks : 1;
      if (may) Offer(*entry, uses);
    });
  }
}

void VictimChooser::Offer(const Entry& entry, const UseTracker& uses) {
  const uint64_t seen = Seen(entry);
  const uint64_t rank = Rank(seen, uses);
  Candidate* place = end();
  if (candidates_ == kPool) {
    // In the place of the worst one, if that is worse.
    place = std::max_element(begin(), end(), ByRank);
    if (place->rank <= rank) return;
  }
  const uint64_t hash = hash_function_(entry.key());
  Candidate* const known =
      std::find_if(begin(), end(), [hash](const Candidate& c) { return c.hash == hash; });
  if (known != end()) {
    place = known;
  } else if (candidates_ < kPool) {
    ++candidates_;
  }
  *place = {.hash = hash, .seen = seen, .rank = rank};
}

VictimChooser::Victim VictimChooser::TakeBest(const KeyTable& table,
                                              absl::FunctionRef<bool(const Entry&)> may_go) {
  while (candidates_ > 0) {
    Candidate* const best = std::min_element(begin(), end(), ByRank);
    const Candidate candidate = *best;
    *best = pool_[--candidates_];
    Entry* entry = table.FindByHash(candidate.hash);
    if (entry == nullptr || Seen(*entry) != candidate.seen || !may_go(*entry)) continue;
    return {entry, candidate.hash};
  }
  return {};
}

uint64_t VictimChooser::Random() {
  // xorshift64 (G. Marsaglia, 2003).
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

}  // namespace tidemark::cache
