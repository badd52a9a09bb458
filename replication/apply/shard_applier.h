// ShardApplier carries out apply steps on one shard of a replica: changes its keyspace, or the
// staging keyspace that a snapshot fills beside it. Where the replica serves replicas itself, the
// shard's relay is told of all that happens to what is served.
//
// Where the shard has a disk tier, staged values go there too, so that a full sync needs no more
// memory than there is; a mixed plan's staging stays in memory, for what it spares or keeps is
// walked at once.
//
// Threading: the shard's thread.

#ifndef TIDEMARK_REPLICATION_APPLY_SHARD_APPLIER_H_
#define TIDEMARK_REPLICATION_APPLY_SHARD_APPLIER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "cache/keyspace.h"
#include "replication/apply/apply_step.h"
#include "replication/apply/kept_copy.h"
#include "replication/shard_relay.h"

namespace tidemark::replication {

class ShardApplier {
 public:
  // Both are borrowed and outlive this. `relay`: null: nobody follows.
  explicit ShardApplier(cache::Keyspace* served, ShardRelay* relay = nullptr)
      : served_(served), relay_(relay) {}

  // `slice` is this shard's, or null where the step has none for it.
  StepResult Run(const ApplyStep& step, const Slice* slice);

  // Frees some of what a swap or an abandoned snapshot left behind; true while there is more. Call
  // it from the shard's background slices.
  bool FreeSome(size_t max_entries);
  // Lets go of all that, and of staging, at once: no step comes any more, and the shard's tier may
  // end before this does.
  void Leave();

 private:
  absl::Status ApplySlice(const Slice& slice, bool to_staging, uint64_t* records);
  void FlushKept();
  void Retire(std::unique_ptr<cache::Keyspace> keyspace);

  cache::Keyspace* const served_;
  ShardRelay* const relay_;
  std::unique_ptr<cache::Keyspace> staging_;
  std::optional<KeptCopy> copy_;  // Of a mixed plan's staging.
  std::unique_ptr<cache::Keyspace> retired_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_APPLY_SHARD_APPLIER_H_
