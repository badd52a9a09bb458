#include "integration/simulation/export_port.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wal/disk/whole_file.h"

namespace tidemark::simulation {

using wal::ExportSession;

ExportPort::ExportPort(NodeTime* time, const Options& options, const wal::DataDirectory& directory,
                       const wal::LiveLog& log, wal::Retention& retention)
    : time_(time),
      events_(time),
      directory_(directory),
      source_(directory, log, retention, options.retain_bytes),
      hub_(options.hub, &source_, time) {
  LoadConsumers();
}

ExportPort::~ExportPort() {
  for (const auto& [id, open] : open_) open.connection->Close(1);
  hub_.Clear();
}

void ExportPort::LoadConsumers() {
  constexpr size_t kMaxBytes = 1 << 20;
  const auto bytes = wal::ReadWholeFile(directory_.disk(), directory_.ConsumersPath(), kMaxBytes);
  // None yet, or a disk that fails: consumers then come with their own positions.
  if (bytes.ok()) hub_.LoadConsumers(*bytes).IgnoreError();
}

void ExportPort::SaveConsumers() {
  const std::optional<std::string> bytes = hub_.TakeConsumers();
  if (!bytes.has_value()) return;
  wal::WriteFileAtomically(directory_.disk(), directory_.ConsumersPath(), *bytes).IgnoreError();
}

void ExportPort::Accept(ConnectionRef connection) {
  ExportSession* session = hub_.Add("10.0.0.2", false, time_->now_ms());
  if (session == nullptr) return connection->Close(1);
  const uint64_t id = next_id_++;
  open_[id] = {session, connection};
  const auto guarded = [this, id](auto handle) {
    return [this, id, handle](auto... arguments) {
      const auto open = open_.find(id);
      if (open == open_.end()) return;
      handle(open->second.session, arguments...);
      Serve(id);
    };
  };
  AttachNode(events_, *connection, 1,
             {.on_bytes = guarded([this](ExportSession* session, std::string_view bytes) {
                session->OnBytes(bytes, time_->now_ms());
              }),
              .on_writable = guarded([](ExportSession*) {}),
              .on_closed = guarded([](ExportSession* session) {
                session->OnDisconnected(absl::UnavailableError("connection reset"));
              })});
}

void ExportPort::Serve(uint64_t id) {
  const Open open = open_.at(id);
  if (hub_.Pump(open.session, time_->now_ms())) {
    events_.In(50, [this, id] {
      if (open_.contains(id)) Serve(id);
    });
  }
  WriteAll(
      *open.connection, 1,
      [&](std::vector<std::string_view>* pieces) { open.session->Gather(4, pieces); },
      [&](size_t bytes) { open.session->OnWritten(bytes, time_->now_ms()); });
  if (!open.session->closed()) return;
  open.connection->Close(1);
  open_.erase(id);
  hub_.Remove(open.session);
}

void ExportPort::ServeAll() {
  std::vector<uint64_t> ids;
  for (const auto& [id, open] : open_) ids.push_back(id);
  for (const uint64_t id : ids) {
    if (open_.contains(id)) Serve(id);
  }
}

void ExportPort::Tick() {
  hub_.Tick(time_->now_ms());
  ServeAll();
  SaveConsumers();
}

void ExportPort::LoseAllSilently() {
  for (const auto& [id, open] : open_) open.connection->LoseSilently();
}

}  // namespace tidemark::simulation
