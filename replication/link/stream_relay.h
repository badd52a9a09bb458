// StreamRelay is what a replica tells its own server of replicas about the stream that it follows:
// whether there is one to hand on, and under what name. An interface, so that the link to the
// primary knows nothing of the server.
//
// The frames themselves go from shard to shard (replication/shard_relay.h), and each carries the
// history that it is of. What is said here decides who is admitted to them, and comes a moment
// earlier or later.
//
// Threading: any thread; nothing blocks. In the order in which it was said.

#ifndef TIDEMARK_REPLICATION_LINK_STREAM_RELAY_H_
#define TIDEMARK_REPLICATION_LINK_STREAM_RELAY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

// The stream that a replica hands on, by what its own primary said of it.
struct RelayedStream {
  HistoryId history = {};
  std::vector<Ancestor> ancestors = {};
  std::vector<std::string> path = {};  // StreamPlan::path: the nodes that it comes from.
};

class StreamRelay {
 public:
  virtual ~StreamRelay() = default;

  // The shards are in this stream: replicas are admitted to it.
  virtual void Open(RelayedStream stream) = 0;
  // There is no link to the primary: those who are here stay, and nobody else is admitted. `why` is
  // the text of the refusal.
  virtual void Hold(std::string why) = 0;
  // The stream ends here, or goes on elsewhere: nobody stays.
  virtual void Close(std::string why) = 0;
  // All that the primary had emitted at `as_of_ms` of this process's monotonic clock.
  virtual void OnUpstream(Watermarks emitted, int64_t as_of_ms) = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_STREAM_RELAY_H_
