// ShardReplay applies recovered frames to one shard's keyspace: all their records, or, where the
// log has another number of shards than this node, those of the keys that the shard owns here.
//
// It takes records in groups, so that the cache misses of a group's keys overlap: at a recovery's
// rates they are most of the cost of an insert.
//
// Threading: the shard's thread. Borrows the keyspace.

#ifndef TIDEMARK_SERVER_SHARD_REPLAY_H_
#define TIDEMARK_SERVER_SHARD_REPLAY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "base/expiry.h"
#include "base/format/frame.h"
#include "base/format/record.h"
#include "base/ids.h"
#include "cache/keyspace.h"

namespace tidemark::server {

class ShardReplay {
 public:
  ShardReplay(cache::Keyspace* keyspace, ShardId own, int own_shards)
      : keyspace_(*keyspace), own_(own), own_shards_(own_shards) {}

  // Applies the records with sequences from `from` to `through`; of a snapshot chunk, all.
  // DataLoss: a record is damaged, and some before it are applied: the keyspace must not be served.
  absl::Status Apply(const Frame& frame, Sequence from, Sequence through);

 private:
  // A record of the group under way. The views point into the frame.
  struct Pending {
    RecordOp op;
    cache::KeyRef key;
    std::string_view value;
    Expiry expiry;
    uint64_t offset;
  };
  // Enough for the misses of one stage to be over before the next stage comes to them; more would
  // only push each other out of the nearest cache.
  static constexpr size_t kGroup = 24;

  void Add(const Record& record);
  void ApplyGroup();
  void ApplyOne(const Pending& pending);
  void Flush(const Frame& frame);

  cache::Keyspace& keyspace_;
  const ShardId own_;
  const int own_shards_;
  bool takes_all_ = true;  // Of the frame under way.
  std::array<Pending, kGroup> group_;
  size_t group_size_ = 0;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_SHARD_REPLAY_H_
