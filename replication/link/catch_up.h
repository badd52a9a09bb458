// CatchUp decides how replicas catch up and subscribes them accordingly: nothing missing, from the
// backlog, or by snapshot (docs/protocol.md, "Histories, and what follows Accept").
//
// First every shard subscribes the replica from its position, in one step with deciding whether its
// backlog reaches back so far. If one cannot, all let go again and the replica waits for a snapshot
// of all. Snapshots of all shards begin at one cut, so that no transaction is in one shard's
// watermark and not in another's; those who wait when one begins share it, and the next begins when
// it is complete.
//
// Threading: the link thread, except what it hands to ShardAccess.

#ifndef TIDEMARK_REPLICATION_LINK_CATCH_UP_H_
#define TIDEMARK_REPLICATION_LINK_CATCH_UP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "replication/link/shard_access.h"
#include "replication/link/stream_plan.h"
#include "replication/subscriber.h"

namespace tidemark::replication {

class CatchUp {
 public:
  // A subscription that runs, and what it brings.
  using Callback = std::function<void(SubscriberRef subscriber, const StreamPlan& plan)>;
  class Request;
  using RequestRef = std::shared_ptr<Request>;

  // Borrows both, for longer than any callback of `shards` may come.
  CatchUp(const Subscriber::Options& subscriber_options, ShardAccess* shards, LinkWaker* waker);
  ~CatchUp();

  // Subscribes a replica that is at `position`. `callback` comes once, from within the call or
  // later.
  RequestRef Begin(const ReplicaPosition& position, Callback callback);
  // Ends a request, or the subscription that it became: every shard lets go of it.
  void End(const RequestRef& request);

  // Begins a snapshot if one is due.
  void Tick(int64_t now_ms);
  int64_t NextDeadlineMs() const;

 private:
  struct Core;
  std::shared_ptr<Core> core_;  // Shared with callbacks that may come after this is gone.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_CATCH_UP_H_
