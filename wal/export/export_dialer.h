// ExportDialer is connect mode's end of a connection's life: it dials the consumer's address, and
// again after a failure or when the connection is over, with a backoff.
//
// Threading: the export thread.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_DIALER_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_DIALER_H_

#include <asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/link/backoff.h"
#include "base/link/link_loop.h"

namespace tidemark::wal {

class ExportDialer {
 public:
  struct Options {
    std::string host;
    uint16_t port = 0;
    int64_t connect_timeout_ms = 1'000;
    Backoff::Options backoff = {.first_ms = 100, .longest_ms = 5'000};
    uint64_t seed = 0;  // Of the backoff's jitter.
  };
  using OnConnected = std::function<void(asio::ip::tcp::socket socket, std::string peer)>;

  // Dials at once. Calls back from the loop, also for each dial that failed; nothing after the
  // destructor.
  ExportDialer(LinkLoop* loop, const Options& options, OnConnected on_connected,
               std::function<void()> on_failure);
  ~ExportDialer();

  // The connection is over. `served`: it did its work, so the backoff begins anew.
  void Redial(bool served, int64_t at_least_ms);

 private:
  struct Core;
  std::shared_ptr<Core> core_;  // Shared with the handlers under way.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_DIALER_H_
