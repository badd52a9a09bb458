// What the log counts. Written on the log thread, but for what says otherwise; read by any.

#ifndef TIDEMARK_WAL_LOG_COUNTERS_H_
#define TIDEMARK_WAL_LOG_COUNTERS_H_

#include "base/metrics/latency_histogram.h"
#include "base/metrics/metrics.h"

namespace tidemark::wal {

struct LogCounters {
  Counter frames;                // Written.
  Counter records;               // In those; records / syncs is how many writes share a flush.
  Counter bytes;                 // Of frames, as they are on disk.
  Counter raw_bytes;             // Of the same frames before compression.
  Counter writes;                // Gathered writes; each carries what had come until then.
  Counter syncs;                 // Of segments, with fdatasync.
  Counter commit_waits;          // Flushes that were held back for writes that were expected.
  Counter segments;              // Begun.
  Counter disk_full;             // Times that the disk became full.
  Counter write_retries;         // Attempts that found it still full.
  Counter dropped_frames;        // Taken after the log had failed: they are nowhere on disk.
  LatencyHistogram write_nanos;  // Of a gathered write.
  LatencyHistogram sync_nanos;   // Of a sync.
  Gauge queued_frames;           // Taken from the shards and not yet written.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_LOG_COUNTERS_H_
