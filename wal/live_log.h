// LiveLog is what readers of a log need to know of the one that is writing it: how far it is
// durable, and what it still has in memory. Log is the one with a thread and a disk; the cluster
// simulation has another, in virtual time.
//
// Threading: every function may be called by any thread.

#ifndef TIDEMARK_WAL_LIVE_LOG_H_
#define TIDEMARK_WAL_LIVE_LOG_H_

#include <cstddef>

#include "base/ids.h"
#include "wal/log_tail.h"
#include "wal/manifest.h"

namespace tidemark::wal {

class LiveLog {
 public:
  virtual HistoryId history() const = 0;
  virtual size_t shard_count() const = 0;
  // What stood in the manifest when the log was opened.
  virtual const Manifest& manifest() const = 0;
  // Only grows. The durables of all shards, read one after another, are a moment apart, so not a
  // cut; DurableCut() is one.
  virtual Sequence durable(ShardId shard) const = 0;
  virtual Watermarks DurableCut() const = 0;
  virtual const LogTail& tail() const = 0;

 protected:
  ~LiveLog() = default;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_LIVE_LOG_H_
