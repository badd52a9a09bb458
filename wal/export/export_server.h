// ExportServer is the export thread: it listens for consumers, or dials one, and serves each with
// ExportHub.
//
// It is the shell around the sessions: TCP here, but a session asks only for bytes in and bytes out
// (LinkSocketOwner), so TLS is another socket class and no other session. Reading the log happens
// on this thread too: a disk that is slow to read delays the consumers, and nobody else.
//
// Threading: thread-safe, except Start() and Stop(), which one thread calls.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_SERVER_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/link/backoff.h"
#include "wal/export/export_hub.h"
#include "wal/export/export_source.h"
#include "wal/export/export_status.h"

namespace tidemark::wal {

class ExportServer {
 public:
  struct Options {
    enum class Mode : uint8_t { kListen, kConnect };
    Mode mode = Mode::kListen;
    // Listen: numeric, and port 0 lets the kernel choose. Connect: the consumer's.
    std::string host = "127.0.0.1";
    uint16_t port = 0;
    ExportHub::Options hub;
    int64_t connect_timeout_ms = 1'000;
    Backoff::Options backoff = {.first_ms = 100, .longest_ms = 5'000};
    int64_t gather_us = 500;           // The least between two rounds of reading and writing.
    int64_t save_interval_ms = 1'000;  // The least between two writes of the consumers' file.
    int64_t stop_timeout_ms = 5'000;   // For consumers to get what is durable, and the goodbye.
  };

  // Replaces the file `consumers`; called on a thread of its own.
  using SaveConsumers = std::function<absl::Status(const std::string& contents)>;

  // `source` is borrowed, and used on the export thread only, from Start() to the end of Stop().
  ExportServer(const Options& options, ExportSource* source, SaveConsumers save);
  ~ExportServer();  // Stops.

  // `consumers`: what SaveConsumers was given last; empty: nothing yet. Binds, and starts the
  // threads.
  //   InvalidArgument  listening without a token: anyone who reaches the port could read all data
  //   Unavailable      the port cannot be had
  //   DataLoss         `consumers` is damaged
  absl::Status Start(const std::string& consumers);

  // Sends what is durable by now, says goodbye and ends the threads, in at most stop_timeout_ms.
  // Returns, and logs, what those that were connected were not sent. Call it once the log moves
  // `durable` no more. Idempotent.
  std::vector<UnsentSpan> Stop();

  uint16_t port() const;  // After Start(); connect mode: the consumer's.

  // `durable` has moved: cheap, any thread, also before Start() and after Stop().
  void OnDurableMoved();

  // For connections from now on.
  void SetTokens(LinkTokens tokens);

  // Gives up the place that the log keeps for a consumer. `done` is called on the export thread, or
  // dropped at Stop().
  void Forget(std::string consumer, std::function<void(absl::Status)> done);

  // As of a few milliseconds ago; right after Start() what the consumers' file said.
  ExportStatus status() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_SERVER_H_
