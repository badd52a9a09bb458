// FrameLog takes every frame that a shard seals, before any other reader: the log, which makes it
// durable. An interface, so that replication knows nothing of files; server/ implements it over
// wal::ShardLog.
//
// Threading: confined to the shard's thread.

#ifndef TIDEMARK_REPLICATION_FRAME_LOG_H_
#define TIDEMARK_REPLICATION_FRAME_LOG_H_

#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark::replication {

class FrameLog {
 public:
  virtual ~FrameLog() = default;

  // Each frame right after the one before it. Never blocks and never fails: what the disk does not
  // take waits, and who writes is told elsewhere.
  virtual void Append(FrameRef frame) = 0;
  // The turn is over: what was appended in it should be on its way.
  virtual void OnTurnEnd() = 0;
  // The mutations up to `through` that were not appended never will be: they could not be encoded.
  // A log with a hole is none, so nothing after it can become durable.
  virtual void OnHole(Sequence through) = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_FRAME_LOG_H_
