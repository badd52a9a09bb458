// ColdAccess is how a command's handler gets at values on disk.
//
// A handler runs without knowing where values are. When it meets a cold key whose value it needs it
// asks Look(): either the value was read for this call, or it is noted as needed. Then the handler
// returns, having answered nothing and changed nothing; the shard has what is needed read and calls
// the handler again: at once, if it could all be read without waiting. So a command on keys in
// memory pays for the disk with the test of one bit.
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_CACHE_COLD_ACCESS_H_
#define TIDEMARK_CACHE_COLD_ACCESS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "cache/entry.h"
#include "cache/keyspace.h"
#include "tier/tier_front.h"

namespace tidemark::cache {

// Values that were read from disk for one call of a command, by where they are, or why they could
// not be.
using StagedValues = absl::flat_hash_map<tier::ValueLocation, absl::StatusOr<tier::ReadValue>>;

// A cold key whose value a command needs.
struct NeededValue {
  std::string key;
  tier::ValueLocation at;
};

// What a call in vain leaves to whoever calls again: what it lacks, and what it has been given.
struct UnfinishedCall {
  std::vector<NeededValue> needed;
  StagedValues staged;
};

class ColdAccess {
 public:
  // Null: not read yet, and noted. Else the value, or why there is none; good during the call.
  // Requires: entry.cold().
  const absl::StatusOr<tier::ReadValue>* Look(const Entry& entry) {
    if (staged_ != nullptr) {
      const auto it = staged_->find(entry.location());
      if (it != staged_->end()) return &it->second;
      if (waits_on_ != nullptr) return &ReadNow(entry);
    }
    needed_.push_back({std::string(entry.key()), entry.location()});
    return nullptr;
  }
  // The value, where Look() has just found it.
  const tier::ReadValue& Value(const Entry& entry) const { return *staged_->at(entry.location()); }

  // --- For the shard. ---

  // What was read for the next call; null: nothing.
  void set_staged(StagedValues* staged) { staged_ = staged; }
  // The same for a part of a command that spans shards, which cannot be called again: what is not
  // staged, because it went to disk a moment ago, is read while the shard waits.
  void set_staged(StagedValues* staged, tier::TierFront* front) {
    staged_ = staged;
    waits_on_ = front;
  }
  // Whether the latest call was in vain, because of these.
  bool any_needed() const { return !needed_.empty(); }
  std::vector<NeededValue> TakeNeeded() { return std::exchange(needed_, {}); }

  // For a call in vain: what it needs, and where to put what can be had at once, so that it is
  // there when the handler is called again. That is the map that was set, or one of its own.
  std::vector<NeededValue>& needed() { return needed_; }
  StagedValues& StagedForRetry() {
    if (staged_ == nullptr) staged_ = &own_;
    return *staged_;
  }
  // Such a call is over.
  void EndRetry() {
    if (staged_ != &own_) return;
    own_.clear();
    staged_ = nullptr;
  }
  // Or goes on elsewhere, with what it has. Requires: no map was set.
  UnfinishedCall TakeUnfinished() {
    UnfinishedCall call = {.needed = TakeNeeded(), .staged = std::exchange(own_, {})};
    staged_ = nullptr;
    return call;
  }

 private:
  const absl::StatusOr<tier::ReadValue>& ReadNow(const Entry& entry) {
    const tier::ValueLocation at = entry.location();
    if (at.is_null()) {
      return staged_->emplace(at, absl::DataLossError("the value was lost before")).first->second;
    }
    return staged_->emplace(at, waits_on_->ReadNow(entry.key(), at)).first->second;
  }

  StagedValues* staged_ = nullptr;
  StagedValues own_;                     // Of a call that has no map yet.
  tier::TierFront* waits_on_ = nullptr;  // Null: nobody waits.
  std::vector<NeededValue> needed_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COLD_ACCESS_H_
