// The project's numbers, each its own type, so that the compiler catches a swapped argument.
// docs/architecture.md ("Words") says what they mean.

#ifndef TIDEMARK_BASE_IDS_H_
#define TIDEMARK_BASE_IDS_H_

#include <compare>
#include <cstdint>
#include <limits>
#include <vector>

namespace tidemark {

// A number that only its own kind compares with. Tag makes the kinds distinct.
template <typename Tag, typename Number>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(Number value) : value_(value) {}

  constexpr Number value() const { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  template <typename H>
  friend H AbslHashValue(H h, StrongId id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  Number value_ = 0;
};

// One partition of the keyspace, owned by one thread: 0 to shard_count - 1.
using ShardId = StrongId<struct ShardTag, uint16_t>;
inline constexpr int kMaxShards = 1024;

// The place of a mutation in its shard's stream: the first is 1, 0 means "nothing yet".
using Sequence = StrongId<struct SequenceTag, uint64_t>;

constexpr Sequence Next(Sequence s) { return Sequence(s.value() + 1); }

// One lineage of sequences; sequences of different histories do not compare. 0 means "none yet".
using HistoryId = StrongId<struct HistoryTag, uint64_t>;

// One sequence a shard, indexed by shard: everything at or below it holds.
using Watermarks = std::vector<Sequence>;

}  // namespace tidemark

#endif  // TIDEMARK_BASE_IDS_H_
