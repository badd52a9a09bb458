// PrimaryConnection gives a ReplicaLink the connection that it wants by now: it finds the primary,
// connects, carries bytes both ways, and drops what belongs to an earlier attempt.
//
// Threading: the link thread. Borrows the context and the link.

#ifndef TIDEMARK_REPLICATION_SHELL_PRIMARY_CONNECTION_H_
#define TIDEMARK_REPLICATION_SHELL_PRIMARY_CONNECTION_H_

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/link/link_socket.h"
#include "replication/link/replica_link.h"
#include "replication/shell/primary_locator.h"

namespace tidemark::replication {

class PrimaryConnection final : public LinkSocketOwner {
 public:
  struct Options {
    std::string host;  // A name or an address.
    uint16_t port = 0;
    // What is there may be the port of the primary's clients: ask there which port is for replicas.
    bool locate = false;
    std::string node_id;  // See PrimaryLocator.
  };
  // `on_event` is called after each thing that the link was told.
  PrimaryConnection(asio::io_context& context, Options options, ReplicaLink* link,
                    std::function<void()> on_event);

  // Does what the link wants by now. It reads only while there is room for what comes.
  void Serve(bool wants_input, int64_t now_ms);
  // Once the context runs no more.
  void Close() { socket_.reset(); }

 private:
  // LinkSocketOwner.
  void OnBytes(std::string_view bytes) override;
  void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) override;
  void OnWritten(size_t bytes) override;
  void OnClosed(const absl::Status& why) override;

  void Connect();
  void ConnectTo(uint16_t port);
  void OnConnect(const asio::error_code& error);

  asio::io_context& context_;
  const Options options_;
  ReplicaLink* const link_;
  const std::function<void()> on_event_;
  PrimaryLocator locator_;
  asio::ip::tcp::resolver resolver_;
  // An attempt to connect: its number makes handlers of an earlier one know that they are late.
  std::optional<asio::ip::tcp::socket> connecting_;
  uint64_t attempt_ = 0;
  std::unique_ptr<LinkSocket> socket_;
  bool reading_ = true;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_PRIMARY_CONNECTION_H_
