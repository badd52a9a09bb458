// A node's export, without a node: an ExportServer over a log in memory, for tests of consumers.
// Prints "port N", then obeys lines of its standard input and answers each with "ok":
//   write SHARD RECORDS | snapshot ENTRIES | fork HISTORY SHARDS | drop | restart
// Leaves at the end of its input.

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "wal/export/export_server.h"
#include "wal/export/fake_export_source.h"

namespace tidemark::wal {
namespace {

std::unique_ptr<ExportServer> Serve(FakeExportSource* source, uint16_t port) {
  ExportServer::Options options;
  options.port = port;
  options.hub.session.tokens.current = "secret";
  options.hub.session.heartbeat_interval_ms = 50;
  auto server = std::make_unique<ExportServer>(options, source,
                                               [](const std::string&) { return absl::OkStatus(); });
  const absl::Status started = server->Start("");
  if (started.ok()) return server;
  std::cerr << started << "\n";
  return nullptr;
}

int Run() {
  FakeExportSource source(HistoryId(7), 2);
  std::unique_ptr<ExportServer> server = Serve(&source, 0);
  if (server == nullptr) return 1;
  const uint16_t port = server->port();
  std::cout << "port " << port << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    uint64_t a = 0;
    uint64_t b = 0;
    words >> command >> a >> b;
    if (command == "write") {
      source.AppendAndSync(static_cast<int>(a), static_cast<uint32_t>(b));
    } else if (command == "snapshot") {
      source.TakeSnapshot(static_cast<uint32_t>(a));
    } else if (command == "fork") {
      source.Fork(HistoryId(a), static_cast<int>(b));
    } else if (command == "drop") {
      source.DropDurable();
    } else if (command == "restart") {
      server->Stop();
      server = Serve(&source, port);
      if (server == nullptr) return 1;
    } else {
      return 1;
    }
    server->OnDurableMoved();
    std::cout << "ok" << std::endl;
  }
  server->Stop();
  return 0;
}

}  // namespace
}  // namespace tidemark::wal

int main() { return tidemark::wal::Run(); }
