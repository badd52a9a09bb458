// ExportService is a primary's change export as its settings want it: the log and the snapshots of
// its data directory, served to consumers by a thread of its own (docs/formats/export.md).
//
//   auto service = ExportService::Start(settings, directory, log, retention);   // Null: off.
//   ...
//   log->Stop();                 // `durable` has its last value.
//   service->Stop();             // Consumers get what is durable, and a goodbye.
//   ...                          // Only then may the log and the directory go.
//
// Threading: thread-safe, but for Start() and Stop(), which one thread calls.
// Ownership: shares the log; borrows the rest until the end of Stop().

#ifndef TIDEMARK_SERVER_EXPORT_SERVICE_H_
#define TIDEMARK_SERVER_EXPORT_SERVICE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/settings/settings.h"
#include "wal/data_directory.h"
#include "wal/export/export_server.h"
#include "wal/export/export_status.h"
#include "wal/export/log_export_source.h"
#include "wal/log.h"
#include "wal/retention.h"

namespace tidemark::server {

class ExportService {
 public:
  // Null: export_mode is off.
  //   InvalidArgument  settings that contradict each other
  //   Unavailable      the port cannot be had
  //   DataLoss         the file `consumers` is damaged; it names what to do
  static absl::StatusOr<std::unique_ptr<ExportService>> Start(const Settings& settings,
                                                              const wal::DataDirectory& directory,
                                                              std::shared_ptr<wal::Log> log,
                                                              wal::Retention& retention);
  ~ExportService();  // Stops.

  // Returns, and logs, what consumers were not sent; they get it after the next start. Idempotent.
  std::vector<wal::UnsentSpan> Stop();

  uint16_t port() const { return server_.port(); }
  wal::ExportStatus status() const { return server_.status(); }
  // export_token has changed, or export_token_previous: for connections from now on.
  void OnTokensChanged(const Settings& settings);
  // Gives up the place that the log keeps for a consumer; `done` comes on the export thread.
  void Forget(std::string consumer, std::function<void(absl::Status)> done) {
    server_.Forget(std::move(consumer), std::move(done));
  }

 private:
  ExportService(const wal::ExportServer::Options& options, const wal::DataDirectory& directory,
                std::shared_ptr<wal::Log> log, wal::Retention& retention, uint64_t retain_bytes);

  const std::shared_ptr<wal::Log> log_;
  wal::LogExportSource source_;
  wal::ExportServer server_;
  uint64_t listener_ = 0;  // 0: none.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_EXPORT_SERVICE_H_
