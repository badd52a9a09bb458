// What the tests of connections and listeners share: a blocking client, and a server of one thread
// that the test steps by hand, so that client and server need no second thread.

#ifndef TIDEMARK_NET_TEST_CLIENT_H_
#define TIDEMARK_NET_TEST_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "net/connection_set.h"
#include "net/io_loop.h"
#include "net/listener.h"
#include "net/unique_fd.h"

namespace tidemark::net {

// A client of 127.0.0.1 whose calls never block.
class TestClient {
 public:
  explicit TestClient(uint16_t port, int receive_buffer_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    CHECK(fd_.valid());
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                   sizeof(receive_buffer_bytes));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }

  // Sends what the kernel takes; returns how much that was.
  size_t Send(std::string_view bytes) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<size_t>(sent) : 0;
  }
  // Adds what has arrived to received(); notes the end.
  void Receive() {
    char buffer[64 * 1024];
    for (;;) {
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (n > 0) {
        received_.append(buffer, static_cast<size_t>(n));
        continue;
      }
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) at_end_ = true;
      return;
    }
  }
  void FinishSending() { ::shutdown(fd_.get(), SHUT_WR); }
  void Close() { fd_.Reset(); }

  const std::string& received() const { return received_; }
  bool at_end() const { return at_end_; }

 private:
  UniqueFd fd_;
  bool connected_ = false;
  std::string received_;
  bool at_end_ = false;
};

// Handles every connection alike: "ECHO x" answers x, "BIG n" n bytes, "QUIT" closes, "HOLD" is
// taken only once held commands are released, "KILL id" closes another; all else is OK.
class TestServer : public ConnectionAcceptor {
 public:
  explicit TestServer(int64_t max_clients = 10'000) : loop(clock), limit(max_clients) {
    auto opened = Listener::Open({}, connections, limit, this);
    CHECK(opened.ok());
    listener = std::move(*opened);
  }

  uint16_t port() const { return listener->port(); }
  void Turn() {
    // Loopback delivers within the sender's system call: what was sent is there.
    loop.Wait(1'000'000);
    loop.FlushDirty();
  }
  // Turns until `done()`; false if many turns did not bring it.
  template <typename Done>
  bool TurnUntil(Done done) {
    for (int i = 0; i < 5000; ++i) {
      if (done()) return true;
      Turn();
    }
    return done();
  }
  bool TurnUntilReceived(TestClient& client, size_t bytes) {
    return TurnUntil([&] {
      client.Receive();
      return client.received().size() >= bytes;
    });
  }
  bool TurnUntilClosed(TestClient& client) {
    return TurnUntil([&] {
      client.Receive();
      return client.at_end();
    });
  }

  ConnectionHandler* OnAccept(ClientConnection& connection) override {
    last = &connection;
    return new Handler(*this);
  }

  // Before the connections, whose end they hear of.
  bool holding = true;
  ClientConnection* last = nullptr;  // The newest; dangles once it is closed.
  std::vector<CloseReason> closed;   // In order.
  std::vector<size_t> batches;       // Sizes of the batches offered.

  ManualClock clock;
  IoLoop loop;
  ConnectionLimit limit;
  ConnectionSet connections{loop, limit};
  std::unique_ptr<Listener> listener;

 private:
  class Handler final : public ConnectionHandler {
   public:
    explicit Handler(TestServer& server) : server_(server) {}

    size_t OnCommands(ClientConnection& connection,
                      std::span<const ParsedCommand> commands) override {
      server_.batches.push_back(commands.size());
      size_t taken = 0;
      for (const ParsedCommand& command : commands) {
        if (command.args[0] == "HOLD" && server_.holding) break;
        ++taken;
        Run(connection, command);
        if (connection.closing()) break;
      }
      return taken;
    }
    void OnProtocolError(ClientConnection& connection, std::string_view text) override {
      connection.writer().Error("ERR " + std::string(text));
    }
    void OnClosed(ClientConnection& connection, CloseReason reason) override {
      server_.closed.push_back(reason);
      delete this;
    }

   private:
    void Run(ClientConnection& connection, const ParsedCommand& command) {
      RespWriter& writer = connection.writer();
      const std::string_view name = command.args[0];
      if (name == "ECHO") {
        writer.Bulk(command.args[1]);
      } else if (name == "BIG") {
        const BufferRef big =
            Buffer::Copy(std::string(std::stoul(std::string(command.args[1])), 'b'));
        writer.BulkRef(big, big->view());
      } else if (name == "QUIT") {
        writer.Ok();
        connection.CloseAfterReply();
      } else if (name == "KILL") {
        writer.Ok();
        ClientConnection* victim =
            server_.connections.Find(std::stoul(std::string(command.args[1])));
        if (victim != nullptr) victim->Close(CloseReason::kReply);
      } else {
        writer.Ok();
      }
    }

    TestServer& server_;
  };
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_TEST_CLIENT_H_
