// What the export knows about itself at one moment: plain numbers for INFO, metrics and TIDE
// WATERMARKS.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_STATUS_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_STATUS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wal/export/export_position.h"

namespace tidemark::wal {

// Since the node started; kept while a consumer is away.
struct ConsumerCounters {
  uint64_t connects = 0;  // Accepted.
  uint64_t frames_sent = 0;
  uint64_t records_sent = 0;
  uint64_t bytes_sent = 0;
  uint64_t snapshots_sent = 0;
  uint64_t acks = 0;
  uint64_t write_failures = 0;  // Cut because its output did not move.
  uint64_t silences = 0;        // Cut because nothing was heard of it.
  uint64_t positions_lost = 0;  // Times that it was told so.
};

struct ConsumerStatus {
  std::string name;
  enum class State : uint8_t { kAway, kSnapshot, kStreaming, kClosing };
  State state = State::kAway;
  std::string peer;         // Address of the connection; empty if away.
  ExportPosition exported;  // Written to the connection; without sequences: away.
  ExportPosition acked;     // Without sequences: none yet.
  // Durable records that it has not acknowledged, if both are of one history; else 0.
  uint64_t lag_records = 0;
  size_t queue_bytes = 0;
  uint64_t segment = 0;  // The first that it still needs; 0: none yet.
  bool lost = false;     // Retention has dropped what it needs.
  int64_t seen_ms = 0;   // Wall time of its last ack.
  ConsumerCounters counters;
};

struct ExportStatus {
  std::vector<ConsumerStatus> consumers;  // Known by name, connected or away.
  // What every connected consumer whose stream is in the node's history has been sent; empty: there
  // is none.
  ExportPosition exported;
  ExportPosition durable;
  ConsumerCounters total;  // Of all, also those forgotten since.
  uint64_t active = 0;     // Connected and accepted.
  uint64_t accepted = 0;   // Connections whose hello was accepted.
  uint64_t rejected = 0;   // Connections closed before that, whatever the reason.
  uint64_t rejected_token = 0;
  uint64_t connect_failures = 0;  // Connect mode: dials that failed.
  uint64_t save_failures = 0;     // Of the file `consumers`.
};

// What a consumer was not sent before the node stopped.
struct UnsentSpan {
  std::string consumer;
  HistoryId history;
  LostRange range;  // Not lost: the consumer gets it when the node is back.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_STATUS_H_
