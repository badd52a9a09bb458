// DigestWalk computes the digest of one shard's contents as of one instant, a slice at a time,
// while the shard serves.
//
// Threading: its shard's.

#ifndef TIDEMARK_SERVER_DIGEST_WALK_H_
#define TIDEMARK_SERVER_DIGEST_WALK_H_

#include <functional>
#include <optional>
#include <utility>

#include "cache/content_digest.h"
#include "cache/keyspace.h"

namespace tidemark::server {

class DigestWalk {
 public:
  // Null: the walk was cut short, because what it walked was replaced (a replica's snapshot).
  using Done = std::function<void(const cache::ContentDigest*)>;

  // Calls `done` when the walk has ended. False if another walk is under way on this keyspace:
  // nothing was begun.
  bool Begin(cache::Keyspace& keyspace, Done done) {
    if (keyspace_ != nullptr || keyspace.walking()) return false;
    done_ = std::move(done);
    keyspace_ = &keyspace;
    digester_.emplace();
    keyspace.BeginWalk(&*digester_);
    return true;
  }

  // Shows some entries more. True while there is more to do now; values that come from disk come as
  // tasks.
  bool Step() {
    if (keyspace_ == nullptr) return false;
    const bool complete = keyspace_->walking();
    if (complete && !keyspace_->WalkSome(kEntriesPerSlice)) return !keyspace_->walk_waits();
    keyspace_ = nullptr;
    const Done done = std::exchange(done_, nullptr);
    done(complete ? &digester_->digest() : nullptr);
    return false;
  }

 private:
  static constexpr size_t kEntriesPerSlice = 512;  // About 100 us of a shard's time.

  cache::Keyspace* keyspace_ = nullptr;  // Null: no walk.
  std::optional<cache::ContentDigester> digester_;
  Done done_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_DIGEST_WALK_H_
