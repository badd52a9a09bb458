#include "server/export_service.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "base/log/log.h"
#include "wal/disk/whole_file.h"
#include "wal/format/envelope.h"

namespace tidemark::server {
namespace {

// The setting's type has seen to it that it is HOST:PORT, or [HOST]:PORT.
void SetAddress(std::string_view text, wal::ExportServer::Options* options) {
  const size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  options->host = std::string(host);
  const std::string_view port = text.substr(colon + 1);
  std::from_chars(port.data(), port.data() + port.size(), options->port);
}

LinkTokens TokensFrom(const Settings& settings) {
  return {.current = settings.String(Setting::kExportToken),
          .previous = settings.String(Setting::kExportTokenPrevious)};
}

// What the file `consumers` holds; empty: there is none.
absl::StatusOr<std::string> LoadConsumers(const wal::DataDirectory& directory) {
  const std::string path = directory.ConsumersPath();
  const absl::StatusOr<std::string> file =
      wal::ReadWholeFile(directory.disk(), path, wal::kMaxEnvelopeFileBytes);
  if (absl::IsNotFound(file.status())) return std::string();
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::string_view> message =
      wal::Unseal(wal::EnvelopeKind::kConsumers, *file);
  if (message.ok()) return std::string(*message);
  return absl::Status(
      message.status().code(),
      fmt::format("{}: {}. Restore it, or move it away: consumers then keep only what they stored "
                  "themselves, and no log is kept for them until they come back",
                  path, std::string(message.status().message())));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExportService>> ExportService::Start(
    const Settings& settings, const wal::DataDirectory& directory, std::shared_ptr<wal::Log> log,
    wal::Retention& retention) {
  const auto mode = settings.Choice<ExportMode>(Setting::kExportMode);
  if (mode == ExportMode::kOff) return nullptr;
  wal::ExportServer::Options options;
  options.mode = mode == ExportMode::kListen ? wal::ExportServer::Options::Mode::kListen
                                             : wal::ExportServer::Options::Mode::kConnect;
  SetAddress(settings.String(Setting::kExportAddr), &options);
  options.hub.session.tokens = TokensFrom(settings);

  const absl::StatusOr<std::string> consumers = LoadConsumers(directory);
  if (!consumers.ok()) return consumers.status();
  auto service = std::unique_ptr<ExportService>(
      new ExportService(options, directory, log, retention,
                        static_cast<uint64_t>(settings.Int(Setting::kExportRetainBytes))));
  const absl::Status started = service->server_.Start(*consumers);
  if (!started.ok()) return started;
  service->listener_ = log->AddListener([server = &service->server_] { server->OnDurableMoved(); });
  return service;
}

ExportService::ExportService(const wal::ExportServer::Options& options,
                             const wal::DataDirectory& directory, std::shared_ptr<wal::Log> log,
                             wal::Retention& retention, uint64_t retain_bytes)
    : log_(std::move(log)),
      source_(directory, *log_, retention, retain_bytes),
      server_(options, &source_, [&directory](const std::string& consumers) {
        return wal::WriteFileAtomically(directory.disk(), directory.ConsumersPath(),
                                        wal::Seal(wal::EnvelopeKind::kConsumers, consumers));
      }) {}

ExportService::~ExportService() { Stop(); }

void ExportService::OnTokensChanged(const Settings& settings) {
  server_.SetTokens(TokensFrom(settings));
}

std::vector<wal::UnsentSpan> ExportService::Stop() {
  if (listener_ != 0) log_->RemoveListener(std::exchange(listener_, 0));
  return server_.Stop();
}

}  // namespace tidemark::server
