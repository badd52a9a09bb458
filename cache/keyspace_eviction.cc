// What Keyspace does when memory is short: gives up victims as effects.

#include <algorithm>

#include "cache/keyspace.h"

namespace tidemark::cache {
namespace {

// What goes to a tier when nothing may be deleted.
EvictionPolicy ChoiceOf(EvictionPolicy policy) {
  return policy == EvictionPolicy::kNoEviction ? EvictionPolicy::kAllKeysTinyLfu : policy;
}

UseMode ModeOf(const EvictionOptions& options) {
  switch (options.policy) {
    case EvictionPolicy::kAllKeysLfu:
    case EvictionPolicy::kVolatileLfu:
      return UseMode::kLfu;
    case EvictionPolicy::kAllKeysTinyLfu:
      // Without a limit there is nothing to choose, and OBJECT IDLETIME may as well work.
      return options.limited ? UseMode::kTinyLfu : UseMode::kClock;
    default:
      return UseMode::kClock;
  }
}

// Of what waits to be freed anyway.
constexpr size_t kFreedInOneGo = 128;

constexpr int64_t kLongLookPauseMs = 10;

// How far to look for a value in memory, where only `hot` of `all` entries have one.
int RoundsFor(size_t hot, size_t all) {
  const size_t rounds = all / hot * VictimChooser::kRounds;
  return static_cast<int>(std::min<size_t>(rounds, VictimChooser::kMostRounds));
}

}  // namespace

void Keyspace::SetEviction(const EvictionOptions& options) {
  eviction_ = options;
  uses_.set_options({.mode = ModeOf(options),
                     .lfu_log_factor = options.lfu_log_factor,
                     .lfu_decay_minutes = options.lfu_decay_minutes});
  chooser_.set_options({.policy = ChoiceOf(options.policy), .samples = options.samples});
  AdvanceUses();
  if (uses_.mode() != UseMode::kTinyLfu) {
    evicted_keys_ = EvictedKeys();
    duel_.Fit(0);
  }
}

void Keyspace::AdvanceUses() {
  uses_.Advance(stats_.hits - hits_of_tick_ + keys_added_, size());
  hits_of_tick_ = stats_.hits;
  keys_added_ = 0;
  if (uses_.mode() != UseMode::kTinyLfu) return;
  duel_.Fit(size());
  uses_.set_pace(duel_.winner());
}

uint32_t Keyspace::FirstUse(uint64_t hash) {
  ++keys_added_;
  if (duel_.Samples(hash)) duel_.Access(hash, uses_.tick());
  return uses_.Fresh(evicted_keys_.Take(hash));
}

VictimChooser::Victim Keyspace::ChooseForTaker() {
  const size_t hot = size() - cold_size();
  if (hot == 0) return {};
  int rounds = RoundsFor(hot, size());
  // What was looked for in vain a moment ago is not there now.
  if (now_ms_ < next_long_look_ms_) rounds = std::min(rounds, VictimChooser::kRounds);
  const VictimChooser::Victim victim = chooser_.Choose(
      contents_.keys, contents_.expiring, uses_,
      [this](const Entry& entry) { return taker_->Wants(entry); }, rounds);
  if (victim.entry == nullptr) next_long_look_ms_ = now_ms_ + kLongLookPauseMs;
  return victim;
}

Eviction Keyspace::EvictOne() {
  if (beside_ == nullptr) return EvictOwn();
  Keyspace* const larger = beside_->memory_bytes() > memory_bytes() ? beside_ : this;
  const Eviction first = larger->EvictOwn();
  if (first != Eviction::kNothing) return first;
  return (larger == this ? beside_ : this)->EvictOwn();
}

Eviction Keyspace::EvictOwn() {
  // Memory that nobody sees any more, before anything that somebody may ask for.
  if (!detached_.empty() && (detached_.size() > 1 || detached_.front().get() != walked_)) {
    Housekeeping(kFreedInOneGo);
    return Eviction::kFreed;
  }
  if (taker_ != nullptr && taker_->TakesAny()) {
    const VictimChooser::Victim victim = ChooseForTaker();
    if (victim.entry != nullptr) {
      return taker_->Take(*victim.entry, victim.hash) ? Eviction::kPending : Eviction::kBusy;
    }
    // All that could go is on its way.
    if (taker_->pending_bytes() > 0) return Eviction::kBusy;
  }
  if (effects_only_ || eviction_.policy == EvictionPolicy::kNoEviction) return Eviction::kNothing;
  const VictimChooser::Victim victim =
      chooser_.Choose(contents_.keys, contents_.expiring, uses_, [](const Entry&) { return true; });
  if (victim.entry == nullptr) return Eviction::kNothing;
  if (uses_.mode() == UseMode::kTinyLfu) {
    evicted_keys_.Fit(size());
    evicted_keys_.Add(victim.hash, uses_.Frequency(victim.entry->use()));
  }
  ++stats_.evicted;
  Remove(victim.hash, victim.entry, DeleteCause::kEvicted);
  return Eviction::kFreed;
}

}  // namespace tidemark::cache
