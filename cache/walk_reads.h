// WalkReads holds the cold entries that a walk has come to and whose values it still waits for.
//
// A walk shows each entry as it was when the walk began. Of a cold one that needs no hurry: its
// value stays at its location whatever becomes of the entry. So the walk keeps a copy of the cold
// entry, pins the location, begins a read, and shows the entry when the value comes.
//
// Threading and ownership: a part of its Keyspace. Borrows the front.

#ifndef TIDEMARK_CACHE_WALK_READS_H_
#define TIDEMARK_CACHE_WALK_READS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/entry.h"
#include "tier/tier_front.h"

namespace tidemark::cache {

struct DestroyEntry {
  void operator()(Entry* entry) const { Entry::Destroy(entry); }
};
using OwnedEntry = std::unique_ptr<Entry, DestroyEntry>;

class WalkReads {
 public:
  // A walk that looks for more to show pauses while so much is being read for it. What clients
  // change before the walk has come to it does not pause, and comes on top.
  static constexpr size_t kMaxReads = 32;
  static constexpr uint64_t kMaxBytes = 4 << 20;

  // `entry`, which is cold, with its value or the reason why there is none; and what Begin() got.
  using Arrived = std::function<void(const Entry& entry, absl::StatusOr<tier::ReadValue> value,
                                     OwnedEntry earlier)>;

  // What is under way when it is destroyed is forgotten.
  WalkReads(tier::TierFront* front, Arrived arrived)
      : front_(front), arrived_(std::move(arrived)) {}
  WalkReads(const WalkReads&) = delete;
  WalkReads& operator=(const WalkReads&) = delete;

  // Reads the value of `entry`, which is cold. `earlier` is kept until it comes.
  void Begin(const Entry& entry, OwnedEntry earlier = nullptr);
  // Offers again what the front had no room for; true if it still has none. May show entries that
  // cannot be read.
  bool RetryWaiting();

  bool empty() const { return reads_.empty(); }
  bool full() const {
    return reads_.size() >= kMaxReads || bytes_ >= kMaxBytes || !waiting_.empty();
  }
  bool waits_for_front() const { return !waiting_.empty(); }

 private:
  struct Reading {
    OwnedEntry entry;
    OwnedEntry earlier;
    tier::TierPin pin;
  };

  absl::Status Start(uint64_t id, const Entry& entry);
  void OnRead(uint64_t id, absl::StatusOr<tier::ReadValue> value);

  tier::TierFront* const front_;
  const Arrived arrived_;
  absl::flat_hash_map<uint64_t, Reading> reads_;
  std::deque<uint64_t> waiting_;  // Those that the front has not taken.
  uint64_t next_id_ = 0;
  uint64_t bytes_ = 0;
  // Answers may come when we are gone: they hold it weakly.
  const std::shared_ptr<WalkReads*> self_ = std::make_shared<WalkReads*>(this);
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_WALK_READS_H_
