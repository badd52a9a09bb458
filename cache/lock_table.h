// LockTable orders the commands of one shard that must not overlap: those that span shards hold
// their keys' locks from the moment this shard grants them until their part has run.
//
// The rule, in one sentence: a request is granted once no earlier request that conflicts with it is
// unreleased. Two requests conflict if they share a key, or one of them covers the whole shard, and
// at least one of the two is exclusive. Earlier means acquired earlier, so nothing is ever
// overtaken by what it conflicts with, and nobody starves.
//
// Ordinary commands never come here while empty() holds. Otherwise they ask Blocks(), and if it
// says so queue like everyone else.
//
// Threading: confined to the shard's thread.

#ifndef TIDEMARK_CACHE_LOCK_TABLE_H_
#define TIDEMARK_CACHE_LOCK_TABLE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace tidemark::cache {

enum class LockMode : uint8_t { kShared, kExclusive };

class LockTable {
 public:
  // What one command wants of this shard. The caller owns it and keeps it in place from Acquire to
  // Release.
  class Request {
   public:
    // The keys' hashes; repeated ones count once. No keys at all conflict only with a whole shard
    // held exclusively.
    static Request Keys(std::vector<uint64_t> hashes, LockMode mode);
    static Request WholeShard(LockMode mode);

    Request() = default;
    Request(Request&& other) = default;  // Only while not acquired.
    Request& operator=(Request&& other) = default;

    bool granted() const { return acquired_ && blockers_ == 0; }

   private:
    friend class LockTable;
    // The request's place in the queue of one key.
    struct Place {
      Request* request = nullptr;
      Place* earlier = nullptr;
      Place* later = nullptr;
      uint64_t hash = 0;
      bool granted = false;
    };

    LockMode mode_ = LockMode::kShared;
    bool whole_shard_ = false;
    bool acquired_ = false;
    uint64_t arrival_ = 0;
    // Keys whose queue has not granted yet, plus conflicting earlier requests of the whole shard
    // (for a request of the whole shard: of any kind).
    uint64_t blockers_ = 0;
    std::vector<Place> places_;
    Request* earlier_ = nullptr;  // Among all unreleased ones.
    Request* later_ = nullptr;
  };

  LockTable() = default;
  LockTable(const LockTable&) = delete;
  LockTable& operator=(const LockTable&) = delete;

  // No unreleased request.
  bool empty() const { return first_ == nullptr; }
  // Whether some request, granted or waiting, covers the whole shard.
  bool whole_shard_wanted() const { return whole_shards_ != 0; }
  // Whether a request for these keys would have to wait.
  bool Blocks(std::span<const uint64_t> hashes, LockMode mode) const;

  // Queues `request`. True if it is granted at once; else a later Release reports it.
  bool Acquire(Request* request);
  // Gives back a granted request and appends to `granted` those that this lets through, each
  // exactly once. They may be destroyed only after they in turn were released.
  void Release(Request* request, std::vector<Request*>* granted);

 private:
  struct KeyQueue {
    Request::Place* first = nullptr;
    Request::Place* last = nullptr;
    uint64_t exclusive = 0;  // Requests in the queue that are.
  };

  static bool Conflict(const Request& a, const Request& b);
  void EnterKeyQueue(Request::Place* place, LockMode mode);
  void LeaveKeyQueue(Request::Place* place, LockMode mode, std::vector<Request*>* granted);
  static void Unblock(Request* request, std::vector<Request*>* granted);

  absl::flat_hash_map<uint64_t, KeyQueue> queues_;
  Request* first_ = nullptr;  // All unreleased requests, by arrival.
  Request* last_ = nullptr;
  uint64_t whole_shards_ = 0;
  uint64_t next_arrival_ = 1;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_LOCK_TABLE_H_
