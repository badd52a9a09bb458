// LogExportCursor is one consumer's place in a LogExportSource: the chunks of a snapshot, if it
// begins with one, then a LogReader, with the points named at which histories change.
//
// Threading: the export thread.

#ifndef TIDEMARK_WAL_EXPORT_LOG_EXPORT_CURSOR_H_
#define TIDEMARK_WAL_EXPORT_LOG_EXPORT_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "wal/export/export_source.h"
#include "wal/export/needed_segment.h"
#include "wal/log_reader.h"
#include "wal/manifest.h"
#include "wal/retention.h"
#include "wal/snapshot_reader.h"

namespace tidemark::wal {

// What a failure of the log's reading means to a consumer.
ExportFault FaultOf(const absl::Status& failure, const std::vector<LostRecords>& lost);

class LogExportCursor final : public ExportCursor {
 public:
  // `reader` goes on from `begin`. `chunks`, of every shard, come first; empty: no snapshot.
  LogExportCursor(ExportPosition begin, const Manifest& manifest, std::unique_ptr<LogReader> reader,
                  std::vector<std::unique_ptr<SnapshotShardReader>> chunks);

  const ExportPosition& begin() const override { return begin_; }
  bool has_snapshot() const override { return has_snapshot_; }
  ExportItem Next() override;
  uint64_t Acknowledge(const ExportPosition& acked) override;

  // What keeps the segments that the consumer needs. Borrowed; outlives this or is replaced.
  void set_hold(Retention::Hold* hold) { hold_ = hold; }
  uint64_t first_segment() const { return reader_->segment(); }

 private:
  ExportItem NextChunk();
  ExportItem Take(LogReader::Item item);
  // The child of at_.history that the log went on with, if at_ is where it does.
  HistoryStart EnterChild();
  ExportItem Fail(ExportFault fault);

  const ExportPosition begin_;
  const Manifest manifest_;
  const std::unique_ptr<LogReader> reader_;
  std::vector<std::unique_ptr<SnapshotShardReader>> chunks_;
  const bool has_snapshot_;
  size_t chunks_shard_ = 0;  // That is being read; past the last: the snapshot is sent.
  bool snapshot_done_;

  ExportPosition at_;                    // What was returned reaches.
  std::optional<LogReader::Item> held_;  // Of a history that is still to be announced.
  NeededSegment needed_;
  Retention::Hold* hold_ = nullptr;
  std::optional<ExportFault> fault_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_LOG_EXPORT_CURSOR_H_
