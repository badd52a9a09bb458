// What TIDE WATERMARKS and TIDE DIGEST answer, as values.

#ifndef TIDEMARK_INTEGRATION_HARNESS_TIDE_REPORTS_H_
#define TIDEMARK_INTEGRATION_HARNESS_TIDE_REPORTS_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "integration/harness/redis_client.h"

namespace tidemark::integration {

// A watermark vector: by shard of the primary.
using Vector = std::vector<int64_t>;

struct ReplicaRow {
  int64_t id = 0;
  std::string addr;
  std::string state;
  Vector acked;
  int64_t lag_records = 0;
  int64_t lag_ms = 0;
  int64_t queue_bytes = 0;
};

struct WatermarksReport {
  std::string role;
  std::string history;
  int64_t shards = 0;
  Vector assigned, emitted, acked;  // Of a primary.
  Vector applied;                   // Of a replica.
  std::vector<ReplicaRow> replicas;
};

struct DigestReport {
  std::string history;
  Vector watermarks;
  int64_t keys = 0;
  std::string digest;
  friend bool operator==(const DigestReport&, const DigestReport&) = default;
};
void PrintTo(const DigestReport& report, std::ostream* out);

// FailedPrecondition with the reply if it is an error or has not the documented form.
absl::StatusOr<WatermarksReport> Watermarks(RedisClient& client);
absl::StatusOr<DigestReport> Digest(RedisClient& client);

// As above from a reply, for tests.
absl::StatusOr<WatermarksReport> ParseWatermarks(const Reply& reply);
absl::StatusOr<DigestReport> ParseDigest(const Reply& reply);

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_TIDE_REPORTS_H_
