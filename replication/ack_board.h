// AckBoard answers, for every n: up to where do n replicas hold *everything*? It is what replies
// under --ack=replicas:n and durable_replicas:n wait for.
//
//   board.Advance(copies);                          // After an ack, or when a replica came or
//   went. board.reached(AckKind::kApplied, 2)[shard] ...  // Two replicas have all up to here.
//
// The vector of n only ever moves to one that n replicas *of today* cover on all shards at once,
// and never back. Counting each shard by itself would not do: with two shards, one replica could
// hold what was acknowledged on the first and another what was on the second, and whichever is
// promoted, acknowledged writes are lost. So after the loss of the primary, the replica that covers
// reached(1) has every write that was acknowledged under replicas:1.
//
// Which n replicas: of those that cover the vector already, the n that are furthest ahead. A
// replica that lags does not count until it covers what was acknowledged without it; it will, as
// the primary sends it all of it.
//
// A core. Threading: one thread at a time.
// Memory: two vectors for each n up to kMaxReplicas.

#ifndef TIDEMARK_REPLICATION_ACK_BOARD_H_
#define TIDEMARK_REPLICATION_ACK_BOARD_H_

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"

namespace tidemark::replication {

// What a replica's acknowledgement says of a write.
enum class AckKind : uint8_t {
  kApplied,  // It can be read there.
  kDurable,  // It is on that replica's disk.
};

// One live replica, as last acknowledged, by the primary's shard. Borrowed for the call.
struct AckedCopy {
  const Watermarks* applied;
  const Watermarks* durable;  // Empty: it keeps no log.
};

class AckBoard {
 public:
  // The largest n. More replicas may be connected; the vectors go by the best.
  static constexpr int kMaxReplicas = 16;

  explicit AckBoard(int shard_count);

  // `copies` are all replicas whose streams run. True if a vector moved.
  bool Advance(std::span<const AckedCopy> copies);

  // Requires: 1 <= replicas <= kMaxReplicas.
  const Watermarks& reached(AckKind kind, int replicas) const {
    return reached_[static_cast<size_t>(kind)][static_cast<size_t>(replicas - 1)];
  }
  int shard_count() const { return shard_count_; }

 private:
  bool AdvanceKind(AckKind kind, std::span<const AckedCopy> copies);
  bool AdvanceTo(Watermarks& reached, size_t replicas);

  const int shard_count_;
  std::array<std::array<Watermarks, kMaxReplicas>, 2> reached_;  // By kind, then by n - 1.
  std::vector<const Watermarks*> best_;                          // Scratch: furthest ahead first.
  std::vector<const Watermarks*> chosen_;                        // Scratch.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_ACK_BOARD_H_
