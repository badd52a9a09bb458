// KeptCopy is what one shard of a replica takes over into staging when a snapshot replaces only
// some of the primary's shards: the keys of the others, as they are in what is served.
//
// It is a walk of what is served, in slices, while the stream goes on in staging. What the stream
// is about to change there is copied first (Before()), so that a copy never lands on something
// newer. What is served does not change meanwhile.
//
// Which keys are whose: by the primary's number of shards, whatever this node's own is.
//
// Threading: the shard's thread. Ownership: borrows both keyspaces, which outlive it.

#ifndef TIDEMARK_REPLICATION_APPLY_KEPT_COPY_H_
#define TIDEMARK_REPLICATION_APPLY_KEPT_COPY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "cache/keyspace.h"

namespace tidemark::replication {

class KeptCopy final : private cache::WalkVisitor {
 public:
  // `kept`: by the primary's shard. Ends a walk of `served` that is under way: a digest's or a
  // snapshot's, whose owner sees that it has ended and begins anew.
  KeptCopy(std::vector<bool> kept, cache::Keyspace* served, cache::Keyspace* staging);
  // As Stop().
  ~KeptCopy() override { Stop(); }
  KeptCopy(const KeptCopy&) = delete;
  KeptCopy& operator=(const KeptCopy&) = delete;

  // Copies about `max_entries` more, or looks at as many that are not kept. True while there are
  // more.
  bool CopySome(size_t max_entries);
  // `key` is about to change in staging. If its value is on disk, waits for that.
  void Before(cache::KeyRef key);
  // What is not copied yet is not to be: the stream has flushed it.
  void Stop();

  bool IsKept(std::string_view key, uint64_t hash) const;

 private:
  void OnEntry(const cache::Entry& entry) override;
  void OnLateEntry(const cache::Entry& entry, const cache::Entry* now) override;
  // Then the key is missing here, as it would be after a snapshot of the primary.
  void OnUnreadable(const cache::Entry& entry, const absl::Status& why) override {}

  const std::vector<bool> kept_;
  cache::Keyspace* const served_;
  cache::Keyspace* const staging_;
  bool stopped_ = false;  // Or complete.
  // Keys that were copied ahead, and may be read from disk for the walk even so.
  absl::flat_hash_set<std::string> ahead_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_APPLY_KEPT_COPY_H_
