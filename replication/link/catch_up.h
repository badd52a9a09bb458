// CatchUp decides how replicas catch up and subscribes them accordingly: the ladder of nothing
// missing, from the backlog, from the log on disk, by snapshot (docs/protocol.md, "Histories, and
// what follows Accept").
//
// First every shard subscribes the replica from its position, in one step with deciding whether its
// backlog reaches back so far. If one does not, all let go again, and the replica reads the log
// (FrameArchive) until its backlogs do reach: while it reads there is no subscription whose queue
// could grow. What neither has takes a snapshot: of the shards that the replica cannot go on with,
// while the others are fed from the backlog; of all shards if it does not know such plans.
//
// Snapshots begin at one cut of all shards, so that no transaction is in one shard's watermark and
// not in another's, and at that cut each shard decides for each replica. Those who wait when one
// begins share it, and the next begins when it is complete. So there is one at a time, however many
// replicas come.
//
// Threading: the link thread, except what it hands to ShardAccess.

#ifndef TIDEMARK_REPLICATION_LINK_CATCH_UP_H_
#define TIDEMARK_REPLICATION_LINK_CATCH_UP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "replication/link/frame_archive.h"
#include "replication/link/shard_access.h"
#include "replication/link/stream_plan.h"
#include "replication/subscriber.h"

namespace tidemark::replication {

// How far down the ladder a replica may go.
enum class LastRung : uint8_t {
  kBacklog,
  kArchive,
  kShardSnapshots,      // Of the shards that need one; the others go on from the backlog.
  kSnapshot,            // Of all shards as soon as one needs it.
  kNothingButSnapshot,  // Not even if what it lacks were there: what it has is not to be built on.
};

// What a replica is fed from.
struct Feed {
  StreamPlan plan;
  // One of these, or neither: what it lacks is on none of the rungs that it may use.
  SubscriberRef subscriber;
  std::unique_ptr<ArchiveCursor> cursor;
  std::vector<FrameRef> first;  // Read from the cursor already.
};

class CatchUp {
 public:
  using Callback = std::function<void(Feed feed)>;
  class Request;
  using RequestRef = std::shared_ptr<Request>;

  struct Options {
    Subscriber::Options subscriber;
    size_t archive_read_bytes = 1 << 20;  // At once.
  };
  // Borrows all, for longer than any callback of `shards` may come. `archive`: null: none.
  CatchUp(const Options& options, ShardAccess* shards, FrameArchive* archive, LinkWaker* waker);
  ~CatchUp();

  // Finds what feeds a replica that is at `position`. `callback` comes once, from within the call
  // or later. `queue_growth`: its subscription's bounds are so many times those of the options.
  RequestRef Begin(const ReplicaPosition& position, LastRung last, int queue_growth,
                   Callback callback);
  // Ends a request, or the subscription that it became: every shard lets go of it.
  void End(const RequestRef& request);

  // Begins a snapshot if one is due.
  void Tick(int64_t now_ms);
  int64_t NextDeadlineMs() const;

  const Options& options() const;

 private:
  struct Core;
  std::shared_ptr<Core> core_;  // Shared with callbacks that may come after this is gone.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_CATCH_UP_H_
