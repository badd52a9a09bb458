// Listener accepts the clients of one shard thread. Every thread has its own on the same address
// and port (SO_REUSEPORT): the kernel spreads connections over them.
//
// Out of descriptors it does not spin: it closes the waiting connection with an error by means of a
// descriptor that it keeps in reserve, then stops accepting for kPauseMs.
//
// Threading: confined to its IoLoop's thread; Counters may be read by any.

#ifndef TIDEMARK_NET_LISTENER_H_
#define TIDEMARK_NET_LISTENER_H_

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "net/connection_set.h"
#include "net/io_loop.h"
#include "net/unique_fd.h"

namespace tidemark::net {

// Makes what handles a new connection.
class ConnectionAcceptor {
 public:
  virtual ~ConnectionAcceptor() = default;
  // The handler lives until its OnClosed. Null refuses the client: it is closed.
  virtual ConnectionHandler* OnAccept(ClientConnection& connection) = 0;
};

class Listener {
 public:
  struct Options {
    std::string address = "127.0.0.1";  // Numeric, IPv4 or IPv6 ("::" takes both kinds).
    uint16_t port = 0;                  // 0: the kernel chooses.
    // The process's first listener on a port makes sure that no other process has it, which the
    // kernel alone would not: it lets any process of the same user share. The others join the
    // first.
    enum class Sharing : uint8_t { kFirst, kJoin } sharing = Sharing::kFirst;
    int backlog = 511;
    int keepalive_seconds = 300;  // tcp-keepalive; 0: off.
  };
  struct Counters {
    Counter accepted;
    Counter refused_max_clients;  // rejected_connections.
    Counter out_of_descriptors;   // Times that accepting paused.
    Counter refused_by_handler;
  };

  static constexpr int64_t kPauseMs = 100;

  // Binds and begins to accept on the loop of `connections`. All are borrowed and outlive the
  // listener. InvalidArgument: the address is no numeric address. Unavailable: it cannot be bound;
  // the message says what to do.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const Options& options,
                                                        ConnectionSet& connections,
                                                        ConnectionLimit& limit,
                                                        ConnectionAcceptor* acceptor);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  uint16_t port() const { return port_; }  // The one that the kernel chose, if it did.
  // Options::keepalive_seconds of connections that come from now on.
  void set_keepalive_seconds(int seconds) { keepalive_seconds_ = seconds; }
  // Accepts no more. Connections that exist stay.
  void Stop();

  const Counters& counters() const { return counters_; }

 private:
  Listener(ConnectionSet& connections, ConnectionLimit& limit, ConnectionAcceptor* acceptor,
           int keepalive_seconds);

  void WaitForClients();
  void AcceptAll();
  void Admit(UniqueFd fd);
  void RefuseWithReserve();
  void Pause();

  ConnectionSet& connections_;
  ConnectionLimit& limit_;
  ConnectionAcceptor* const acceptor_;
  int keepalive_seconds_;
  // Asio may still call back for what was cancelled, after the listener is gone.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  asio::ip::tcp::acceptor socket_;
  asio::steady_timer pause_;
  UniqueFd reserve_;
  uint16_t port_ = 0;
  Counters counters_;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_LISTENER_H_
