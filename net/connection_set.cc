#include "net/connection_set.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <utility>

namespace tidemark::net {
namespace {

using NameCall = int (*)(int, sockaddr*, socklen_t*);

// "address:port" of one end of a socket, as getpeername or getsockname tells it; "?:0" if it does
// not.
std::string EndpointText(int fd, NameCall name) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (name(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "?:0";
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return fmt::format("{}:{}", text, ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
}

}  // namespace

bool ConnectionLimit::TryAcquire() {
  if (count_.fetch_add(1, std::memory_order_relaxed) < max()) return true;
  Release();
  return false;
}

ConnectionSet::~ConnectionSet() { CloseAll(CloseReason::kShutdown); }

ClientConnection* ConnectionSet::Add(UniqueFd fd) {
  const int number = fd.get();
  std::string address = EndpointText(number, &::getpeername);
  std::string local_address = EndpointText(number, &::getsockname);
  const uint64_t id = limit_.NextId();
  std::unique_ptr<ClientConnection> connection(
      new ClientConnection(*this, std::move(fd), id, std::move(address), std::move(local_address)));
  if (!loop_.Add(number, connection.get())) {
    limit_.Release();
    return nullptr;
  }
  counters_.opened.Add(1);
  return (connections_[id] = std::move(connection)).get();
}

void ConnectionSet::Start(ClientConnection& connection, ConnectionHandler* handler) {
  // The loop tells of what has arrived by now in its next turn.
  connection.handler_ = handler;
}

ClientConnection* ConnectionSet::Find(uint64_t id) {
  const auto found = connections_.find(id);
  return found == connections_.end() || found->second->closed() ? nullptr : found->second.get();
}

void ConnectionSet::ForEach(absl::FunctionRef<void(ClientConnection&)> visit) {
  // A visit may close connections. They are destroyed no sooner than the next turn.
  std::vector<ClientConnection*> open;
  open.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) open.push_back(connection.get());
  for (ClientConnection* connection : open) {
    if (!connection->closed()) visit(*connection);
  }
}

void ConnectionSet::CloseAll(CloseReason reason) {
  ForEach([reason](ClientConnection& connection) { connection.Close(reason); });
}

void ConnectionSet::Tick() {
  if (settings_.idle_timeout_ms == 0 && over_soft_limit_ == 0) return;
  ForEach([](ClientConnection& connection) { connection.CheckTimers(); });
}

void ConnectionSet::Retire(ClientConnection& connection) {
  limit_.Release();
  const auto found = connections_.find(connection.id());
  loop_.Destroy(std::move(found->second));
  connections_.erase(found);
}

}  // namespace tidemark::net
