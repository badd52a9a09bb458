// BackgroundSaver writes a small file's latest contents on a thread of its own, so that a slow disk
// never holds up who produces them. Contents that were replaced before their turn are not written.
//
// Threading: thread-safe, except Stop(), which one thread calls.
// Used by: ExportServer, for the file `consumers`.

#ifndef TIDEMARK_WAL_EXPORT_BACKGROUND_SAVER_H_
#define TIDEMARK_WAL_EXPORT_BACKGROUND_SAVER_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"

namespace tidemark::wal {

class BackgroundSaver {
 public:
  // `save` replaces the file; called on the saver's thread. After a failure, logged and counted, it
  // is tried again each `retry_ms`.
  BackgroundSaver(std::function<absl::Status(const std::string&)> save, int64_t retry_ms);
  ~BackgroundSaver();  // Stops.

  void Save(std::string contents);
  // Writes what waits (once: a failure then is final) and ends the thread. Idempotent.
  void Stop();

  uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  void Run();

  const std::function<absl::Status(const std::string&)> save_;
  const int64_t retry_ms_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::string> waiting_;  // Under the mutex, as below.
  bool stopping_ = false;
  std::atomic<uint64_t> failures_{0};
  std::thread thread_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_BACKGROUND_SAVER_H_
