// LogExportSource gives consumers what the log and the snapshots of a data directory hold: from the
// log's memory where a consumer is close, from segments where it is not, through the histories that
// the directory went through, and from a snapshot where it wants one.
//
// It holds segments for each consumer that is known, from the last position that the consumer
// acknowledged, connected or not, up to a cap (retention.h).
//
// Threading: the export thread, but for the constructor.
// Ownership: borrows all; they outlive it.

#ifndef TIDEMARK_WAL_EXPORT_LOG_EXPORT_SOURCE_H_
#define TIDEMARK_WAL_EXPORT_LOG_EXPORT_SOURCE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "wal/data_directory.h"
#include "wal/export/export_source.h"
#include "wal/live_log.h"
#include "wal/log_reader.h"
#include "wal/retention.h"

namespace tidemark::wal {

class LogExportSource final : public ExportSource {
 public:
  LogExportSource(const DataDirectory& directory, const LiveLog& log, Retention& retention,
                  uint64_t retain_bytes);
  ~LogExportSource() override;

  ExportPosition Durable() override;
  ExportOpened Open(const std::string& consumer, const ExportStart& start) override;
  void Keep(const std::string& consumer, uint64_t segment) override;
  void Forget(const std::string& consumer) override;
  bool Lost(const std::string& consumer) const override;

 private:
  friend class LogExportCursor;

  std::unique_ptr<Retention::Hold> Register(const std::string& consumer, uint64_t segment);
  ExportOpened OpenAt(ExportPosition position);
  ExportOpened OpenBeginning();
  ExportOpened OpenSnapshot();

  const DataDirectory& directory_;
  const LiveLog& log_;
  Retention& retention_;
  const uint64_t retain_bytes_;
  std::map<std::string, std::unique_ptr<Retention::Hold>> holds_;  // By consumer.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_LOG_EXPORT_SOURCE_H_
