// MutationSink receives every change of one shard's keyspace, in order, as the effect that a
// replica must apply: never "now", never random, never relative. It is the one way out of the
// engine for writes: the log, the backlog, replicas and change feeds all hang behind it.
//
// Called on the shard's thread only, right after the keyspace changed. An implementation must not
// fail: what cannot be accepted (a record too large) is refused before the keyspace changes.

#ifndef TIDEMARK_CACHE_MUTATION_SINK_H_
#define TIDEMARK_CACHE_MUTATION_SINK_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/expiry.h"
#include "base/ids.h"

namespace tidemark::cache {

// When a key has no expiry, its expiry in milliseconds since 1970 reads as this.
inline constexpr int64_t kNoExpiry = 0;

enum class DeleteCause { kCommand, kExpired, kEvicted };

// Names the parts of one atomic change, so that a replica or recovery shows all of it or nothing.
struct TransactionInfo {
  uint64_t id = 0;                    // Unique within a history.
  std::vector<ShardId> participants;  // Ascending; every shard on which the transaction writes.
};

class MutationSink {
 public:
  virtual ~MutationSink() = default;

  virtual void Set(std::string_view key, std::string_view value, const Expiry& expiry) = 0;
  virtual void Delete(std::string_view key, DeleteCause cause) = 0;
  // Replaces the expiry, extras included; kNoExpiry removes it.
  virtual void Expire(std::string_view key, const Expiry& expiry) = 0;
  // Overwrites the value from `offset` on, after padding it with zero bytes up to there (APPEND,
  // SETRANGE).
  virtual void SetRange(std::string_view key, uint64_t offset, std::string_view bytes) = 0;
  // Deletes every key of this shard.
  virtual void Flush() = 0;

  // Every mutation between the two belongs to one transaction, and stays within one frame. They do
  // not nest. A transaction without mutations on this shard still counts it as a participant.
  virtual void BeginTransaction(const TransactionInfo& info) = 0;
  virtual void EndTransaction() = 0;

  // The sequence of the newest mutation.
  virtual Sequence assigned() const = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_MUTATION_SINK_H_
