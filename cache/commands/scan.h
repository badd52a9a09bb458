// SCAN over shards: one call visits a part of one shard, and its cursor says where the next goes
// on.
//
// A cursor that clients see is the shard in the bits from 48 up and the keyspace's own cursor
// below. The scan starts at shard 0, inner cursor 0 (so with "0"), takes the shards in order, and
// ends (with "0") after the last. A cursor of a shard that does not exist ends the scan at once:
// Redis, too, answers any number.

#ifndef TIDEMARK_CACHE_COMMANDS_SCAN_H_
#define TIDEMARK_CACHE_COMMANDS_SCAN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/command.h"
#include "cache/reply.h"

namespace tidemark::cache {

inline constexpr int kScanShardShift = 48;

struct ScanRequest {
  uint64_t shard = 0;                    // May be any number below 2^16: the client chose it.
  uint64_t inner_cursor = 0;             // Keyspace::Scan's.
  size_t count = 10;                     // COUNT: about how many slots to visit.
  std::string_view pattern = "*";        // MATCH
  std::optional<std::string_view> type;  // TYPE: nothing matches a type that does not exist.
};

// The argument views in the result are those of `args`. If they are wrong answers the error and
// returns nothing.
std::optional<ScanRequest> ParseScan(Args args, ReplyBuilder& reply);

// Visits a part of the keyspace from `request.inner_cursor` on, adding the matching keys to `keys`.
// Returns the next inner cursor: 0 when this shard is done.
uint64_t ScanShard(Keyspace& keyspace, const ScanRequest& request, std::vector<std::string>& keys);

// The cursor for the client after ScanShard(request) returned `next_inner`.
uint64_t NextScanCursor(const ScanRequest& request, uint64_t next_inner, int shard_count);

void AnswerScan(uint64_t cursor, std::span<const std::string> keys, ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_SCAN_H_
