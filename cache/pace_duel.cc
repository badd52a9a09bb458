#include "cache/pace_duel.h"

#include <algorithm>

namespace tidemark::cache {

void PaceDuel::Fit(size_t keys) {
  if (keys == 0) {
    *this = PaceDuel();
    return;
  }
  // Near enough; a division now and then, not at every turn.
  if (keys_ != 0 && keys - keys / 8 <= keys_ && keys + keys / 8 >= keys_) return;
  keys_ = keys;
  limit_ = keys <= kShadowKeys ? 0 : static_cast<uint32_t>((uint64_t{kShadowKeys} << 32) / keys);
  if (limit_ != 0 && shadows_ == nullptr) shadows_ = std::make_unique<Shadows>();
}

void PaceDuel::Access(uint64_t hash, uint32_t tick) {
  const size_t set = hash % kSets;
  const auto tag = std::max<uint32_t>(1, static_cast<uint32_t>(hash >> 32));
  for (const Pace pace : {Pace::kSteady, Pace::kMoving}) {
    const auto index = static_cast<size_t>(pace);
    if (!Touch((*shadows_)[index][set], tag, tick, pace)) ++misses_[index];
  }
  if (++accesses_ == kRoundAccesses) EndRound();
}

bool PaceDuel::Touch(Set& set, uint32_t tag, uint32_t tick, Pace pace) {
  // An empty place is used before any other: rank 0 and no tag.
  Key* victim = nullptr;
  uint32_t victim_rank = 0;
  for (Key& key : set.kept) {
    if (key.tag == tag) {
      key.use = tiny_lfu::Touched(key.use, tick, pace);
      return true;
    }
    const uint32_t rank = key.tag == 0 ? 0 : 1 + tiny_lfu::Rank(key.use, tick, pace);
    if (victim == nullptr || rank < victim_rank) {
      victim = &key;
      victim_rank = rank;
    }
  }
  const uint32_t count = TakeGone(set, tag, tick, pace);
  // A count of nothing is not worth a place.
  if (victim->tag != 0 && tiny_lfu::Count(victim->use, tick, pace) > 0) {
    std::copy_backward(set.gone.begin(), set.gone.end() - 1, set.gone.end());
    set.gone[0] = *victim;
  }
  *victim = {.tag = tag, .use = tiny_lfu::Word(count + 1, tick)};
  return false;
}

uint32_t PaceDuel::TakeGone(Set& set, uint32_t tag, uint32_t tick, Pace pace) {
  const auto found = std::find_if(set.gone.begin(), set.gone.end(),
                                  [tag](const Key& key) { return key.tag == tag; });
  if (found == set.gone.end()) return 0;
  const uint32_t count = tiny_lfu::Count(found->use, tick, pace);
  std::copy(found + 1, set.gone.end(), found);
  set.gone.back() = {};
  return count;
}

void PaceDuel::EndRound() {
  const auto leader = static_cast<size_t>(winner_);
  // A hundredth better, or the two would take turns where neither is.
  if (misses_[1 - leader] + misses_[leader] / 100 < misses_[leader]) {
    winner_ = static_cast<Pace>(1 - leader);
    ++changes_;
  }
  for (uint32_t& misses : misses_) misses /= 2;
  accesses_ = 0;
}

}  // namespace tidemark::cache
