// Question: what do sockets, parsing and replying cost by themselves? A server that answers every
// GET with the same bytes and everything else with OK, to be driven by redis-benchmark next to
// redis-server.
//
//   net_bench PORT [VALUE_BYTES]
//
// Unit: requests per second of one thread; instructions per command under callgrind.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "net/connection_set.h"
#include "net/io_loop.h"
#include "net/listener.h"

namespace tidemark::net {
namespace {

volatile std::sig_atomic_t stopped = 0;

class Answers final : public ConnectionHandler {
 public:
  explicit Answers(std::string_view value) : value_(value) {}

  size_t OnCommands(ClientConnection& connection,
                    std::span<const ParsedCommand> commands) override {
    RespWriter& writer = connection.writer();
    for (const ParsedCommand& command : commands) {
      if (command.args[0].size() == 3 && (command.args[0][0] | 0x20) == 'g') {
        writer.Bulk(value_);
      } else {
        writer.Ok();
      }
    }
    return commands.size();
  }
  void OnProtocolError(ClientConnection& connection, std::string_view text) override {
    connection.writer().Error("ERR " + std::string(text));
  }
  void OnClosed(ClientConnection& connection, CloseReason reason) override { delete this; }

 private:
  const std::string_view value_;
};

class Acceptor final : public ConnectionAcceptor {
 public:
  explicit Acceptor(size_t value_bytes) : value_(value_bytes, 'v') {}
  ConnectionHandler* OnAccept(ClientConnection& connection) override { return new Answers(value_); }

 private:
  const std::string value_;
};

int Serve(uint16_t port, size_t value_bytes) {
  IoLoop loop;
  ConnectionLimit limit(10'000);
  ConnectionSet connections(loop, limit);
  Acceptor acceptor(value_bytes);
  Listener::Options options;
  options.port = port;
  auto listener = Listener::Open(options, connections, limit, &acceptor);
  if (!listener.ok()) {
    std::fprintf(stderr, "%s\n", listener.status().ToString().c_str());
    return 1;
  }
  std::printf("listening on port %d\n", (*listener)->port());
  std::fflush(stdout);
  while (!stopped) {
    if (loop.Poll() == 0) loop.Wait(100'000'000);
    loop.FlushDirty();
  }
  return 0;
}

}  // namespace
}  // namespace tidemark::net

int main(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { tidemark::net::stopped = 1; });
  std::signal(SIGINT, [](int) { tidemark::net::stopped = 1; });
  const int port = argc > 1 ? std::atoi(argv[1]) : 0;
  const int value_bytes = argc > 2 ? std::atoi(argv[2]) : 64;
  return tidemark::net::Serve(static_cast<uint16_t>(port), static_cast<size_t>(value_bytes));
}
