// What Keyspace does when memory is short: gives up victims as effects.

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

Eviction Keyspace::EvictOne() {
  // Memory that nobody sees any more, before anything that somebody may ask for.
  if (!detached_.empty() && (detached_.size() > 1 || detached_.front().get() != walked_)) {
    Housekeeping(kFreedInOneGo);
    return Eviction::kFreed;
  }
  if (taker_ != nullptr) {
    const VictimChooser::Victim victim =
        chooser_.Choose(contents_.keys, contents_.expiring, uses_,
                        [this](const Entry& entry) { return taker_->Wants(entry); });
    if (victim.entry != nullptr) {
      return taker_->Take(*victim.entry, victim.hash) ? Eviction::kPending : Eviction::kBusy;
    }
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
