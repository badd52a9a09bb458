// VictimChooser finds the key that an eviction policy gives up next.
//
// As Redis does, it looks at a few entries at a time (`samples`) and keeps the best candidates that
// it has met in a small pool, from which the best one goes. Unlike Redis' random samples, its
// samples are the table's buckets in turn: a hand that goes round, so that every entry is looked at
// equally often, and with one cache miss for five. Keys lie in the order of their hashes: which
// ones share a sample has nothing to do with how they are used.
//
// The pool keeps hashes, not pointers: a candidate is found again by its hash, and dropped if it is
// gone or has been used meanwhile.
//
// A core. Threading: as its Keyspace.

#ifndef TIDEMARK_CACHE_VICTIM_CHOOSER_H_
#define TIDEMARK_CACHE_VICTIM_CHOOSER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "base/eviction_policy.h"
#include "cache/entry.h"
#include "cache/key_table.h"
#include "cache/use_tracker.h"

namespace tidemark::cache {

class VictimChooser {
 public:
  static constexpr int kMaxSamples = 64;
  // Samples that one choice may take, if what they find may not go.
  static constexpr int kRounds = 16;
  static constexpr int kMostRounds = 512;  // Some 50 us.

  struct Options {
    EvictionPolicy policy = EvictionPolicy::kNoEviction;
    int samples = 5;  // More than kMaxSamples are as many as that.
  };
  struct Victim {
    Entry* entry = nullptr;  // Null: nothing may go, or nothing was found within bounds.
    uint64_t hash = 0;
  };

  // `hash_function` is that of the tables.
  VictimChooser(KeyTable::HashFunction hash_function, uint64_t random_seed)
      : hash_function_(hash_function), random_(random_seed | 1) {}

  void set_options(const Options& options) {
    options_ = options;
    Forget();
  }
  const Options& options() const { return options_; }
  // The entries are others now.
  void Forget() { candidates_ = 0; }

  // Of `keys`, or of `expiring` if the policy takes only those with an expiry. Takes none that
  // `may_go` turns down. Where one key in so many may go, allow so many times kRounds, up to
  // kMostRounds.
  Victim Choose(const KeyTable& keys, const KeyTable& expiring, const UseTracker& uses,
                absl::FunctionRef<bool(const Entry&)> may_go, int rounds = kRounds);

 private:
  static constexpr size_t kPool = 16;  // Redis' EVPOOL_SIZE.

  struct Candidate {
    uint64_t hash;
    uint64_t seen;  // What the policy goes by: the use word, or the expiry.
    uint64_t rank;  // As of the latest choice: lower goes first.
  };

  static bool ByRank(const Candidate& a, const Candidate& b) { return a.rank < b.rank; }
  uint64_t Seen(const Entry& entry) const;
  uint64_t Rank(uint64_t seen, const UseTracker& uses) const;
  Victim AtRandom(const KeyTable& table, absl::FunctionRef<bool(const Entry&)> may_go);
  void Sample(const KeyTable& table, const UseTracker& uses,
              absl::FunctionRef<bool(const Entry&)> may_go);
  void Offer(const Entry& entry, const UseTracker& uses);
  Candidate* begin() { return pool_.data(); }
  Candidate* end() { return pool_.data() + candidates_; }
  // The best candidate that is still there and unused, taken out of the pool.
  Victim TakeBest(const KeyTable& table, absl::FunctionRef<bool(const Entry&)> may_go);
  uint64_t Random();

  const KeyTable::HashFunction hash_function_;
  Options options_;
  std::array<Candidate, kPool> pool_{};
  size_t candidates_ = 0;
  uint64_t hand_ = 0;  // A cursor of the table.
  uint64_t random_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_VICTIM_CHOOSER_H_
