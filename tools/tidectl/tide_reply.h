// What nodes answer to TIDE WATERMARKS, DIGEST and BACKUP, read from RESP2.

#ifndef TIDEMARK_TOOLS_TIDECTL_TIDE_REPLY_H_
#define TIDEMARK_TOOLS_TIDECTL_TIDE_REPLY_H_

#include <hiredis/hiredis.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"

namespace tidemark::tidectl {

using Vector = std::vector<int64_t>;  // One sequence for each shard of the primary.

// A replica as its primary sees it.
struct ReplicaState {
  std::string id;
  std::string addr;
  std::string state;
  Vector acked;
  int64_t lag_records = 0;
  int64_t lag_ms = 0;
  int64_t queue_bytes = 0;
};

struct NodeWatermarks {
  std::string role;  // "primary" or "replica".
  std::string history;
  int64_t shards = 0;
  // Empty where the role has none.
  Vector assigned, emitted, applied, acked;
  std::vector<ReplicaState> replicas;

  // What others are measured by: what a primary has emitted, what a replica has applied.
  const Vector& position() const { return role == "replica" ? applied : emitted; }
};

struct NodeDigest {
  std::string history;
  Vector watermarks;
  int64_t keys = 0;
  std::string digest;
  std::vector<std::string> shard_digests;  // By the node's own shards; may be empty.
};

// What TIDE BACKUP BEGIN answers.
struct BackupReply {
  uint64_t id = 0;
  HistoryId history;
  Watermarks durable;  // What is in the node's files by now.
};

// Unknown keys are passed over: a newer node may tell more. InvalidArgument if the reply is not of
// the expected shape.
absl::StatusOr<NodeWatermarks> ReadWatermarks(const redisReply& reply);
absl::StatusOr<NodeDigest> ReadDigest(const redisReply& reply);
absl::StatusOr<BackupReply> ReadBackup(const redisReply& reply);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_TIDE_REPLY_H_
