// AckNeed is what must hold for a write before its reply leaves, and AckProgress what holds by now.

#ifndef TIDEMARK_SERVER_ACK_NEED_H_
#define TIDEMARK_SERVER_ACK_NEED_H_

#include <cstdint>

#include "base/ids.h"
#include "replication/ack_board.h"

namespace tidemark::server {

struct AckNeed {
  bool own_disk = false;                                       // Durable here.
  uint8_t replicas = 0;                                        // So many replicas have it...
  replication::AckKind kind = replication::AckKind::kApplied;  // ...in this sense.
  bool timed = false;  // It may time out; the replies become errors then.

  bool none() const { return !own_disk && replicas == 0; }
  friend bool operator==(const AckNeed&, const AckNeed&) = default;
};

class AckProgress {
 public:
  virtual ~AckProgress() = default;

  virtual Sequence OnOwnDisk(ShardId shard) const = 0;
  virtual Sequence OnReplicas(replication::AckKind kind, int replicas, ShardId shard) const = 0;

  bool Meets(const AckNeed& need, ShardId shard, Sequence sequence) const {
    if (need.own_disk && OnOwnDisk(shard) < sequence) return false;
    return need.replicas == 0 || OnReplicas(need.kind, need.replicas, shard) >= sequence;
  }
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_ACK_NEED_H_
