// StreamLog keeps on disk the stream that a replica follows, as it is received. An interface, so
// that replication knows nothing of files; server/ implements it over wal::StreamKeeper.
//
// Threading: the link thread, but for set_on_change(), which is called before it starts. Nothing
// blocks and nothing fails here: what the disk does not take is told elsewhere.

#ifndef TIDEMARK_REPLICATION_STREAM_LOG_H_
#define TIDEMARK_REPLICATION_STREAM_LOG_H_

#include <functional>

#include "base/format/frame.h"
#include "base/ids.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

class StreamLog {
 public:
  virtual ~StreamLog() = default;

  // Called on any thread when something below has changed; the link thread then asks for it.
  virtual void set_on_change(std::function<void()> on_change) = 0;

  // The log still takes over the stream of an earlier plan: no new one should be asked for.
  virtual bool busy() const = 0;
  // False: what was appended is too far ahead of the disk, read no more for now.
  virtual bool wants_input() const = 0;

  // The stream begins. `held`: what is here (FrameReceiver::Held), of which a full sync throws away
  // what the plan's history lacks.
  virtual void OnPlan(const StreamPlan& plan, const ReplicaPosition& held) = 0;
  // Each frame of mutations, in the order of its shard, before it is applied. Those that the log
  // has already are passed over.
  virtual void Append(FrameRef frame) = 0;
  // The snapshot that the stream began with is what the node shows from here on.
  virtual void OnServed() = 0;
  // Called after every event: hands on what was appended.
  virtual void OnTurnEnd() = 0;

  // What no crash can take from this node any more, by the primary's shard; zeros while a full sync
  // is not yet whole on disk. Empty: nothing is known of the present stream.
  virtual Watermarks Durable() const = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_STREAM_LOG_H_
