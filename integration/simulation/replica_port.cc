#include "integration/simulation/replica_port.h"

#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::simulation {

using replication::ReplicaSession;

ReplicaPort::~ReplicaPort() {
  for (const auto& [id, open] : open_) open.connection->Close(1);
}

void ReplicaPort::Accept(ConnectionRef connection) {
  ReplicaSession* session = hub_->Add("10.0.0.1", time_->now_ms());
  if (session == nullptr) return connection->Close(1);
  const uint64_t id = session->id();
  open_[id] = {session, connection};
  const auto guarded = [this, id](auto handle) {
    return [this, id, handle](auto... arguments) {
      const auto open = open_.find(id);
      if (open == open_.end()) return;
      ReplicaSession* const session = open->second.session;
      handle(session, arguments...);
      Serve(session);
    };
  };
  AttachNode(events_, *connection, 1,
             {.on_bytes = guarded([this](ReplicaSession* session, std::string_view bytes) {
                session->OnBytes(bytes, time_->now_ms());
              }),
              .on_writable = guarded([](ReplicaSession*) {}),
              .on_closed = guarded([](ReplicaSession* session) {
                session->link().OnDisconnected(absl::UnavailableError("connection reset"));
              })});
}

void ReplicaPort::Serve(ReplicaSession* session) {
  const ConnectionRef connection = open_.at(session->id()).connection;
  session->Pump(time_->now_ms());
  WriteAll(
      *connection, 1,
      [&](std::vector<std::string_view>* pieces) { session->link().Gather(4, pieces); },
      [&](size_t bytes) { session->OnWritten(bytes, time_->now_ms()); });
  if (!session->link().closed()) return;
  connection->Close(1);
  open_.erase(session->id());
  hub_->Remove(session);
}

void ReplicaPort::ServeAll() {
  std::vector<uint64_t> ids;
  for (const auto& [id, open] : open_) ids.push_back(id);
  for (const uint64_t id : ids) {
    if (const auto open = open_.find(id); open != open_.end()) Serve(open->second.session);
  }
}

void ReplicaPort::LoseAllSilently() {
  for (const auto& [id, open] : open_) open.connection->LoseSilently();
}

}  // namespace tidemark::simulation
