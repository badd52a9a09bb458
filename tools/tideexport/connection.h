// Connection is a TCP connection that blocks for as long as it is told.
//
// Threading: one thread.

#ifndef TIDEMARK_TOOLS_TIDEEXPORT_CONNECTION_H_
#define TIDEMARK_TOOLS_TIDEEXPORT_CONNECTION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidemark::tideexport {

class Connection {
 public:
  static constexpr size_t kReadBytes = 256 << 10;  // What one Read() returns at most.

  // Tries every address that the name has.
  static absl::StatusOr<std::unique_ptr<Connection>> Dial(const std::string& host,
                                                          const std::string& port);
  // A socket that listens. The first address of the name.
  static absl::StatusOr<int> Listen(const std::string& host, const std::string& port);
  // Waits for a connection.
  static absl::StatusOr<std::unique_ptr<Connection>> Accept(int listener);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // What has come, waiting for at most `timeout_ms` for the first byte; empty: nothing came.
  // Unavailable: the connection is over. The view is good until the next call.
  absl::StatusOr<std::string_view> Read(int timeout_ms);
  absl::Status WriteAll(std::string_view bytes);

 private:
  explicit Connection(int fd);

  const int fd_;
  const std::unique_ptr<char[]> buffer_;
};

}  // namespace tidemark::tideexport

#endif  // TIDEMARK_TOOLS_TIDEEXPORT_CONNECTION_H_
