#include "server/client_settings.h"

#include "base/check.h"
#include "base/settings/output_buffer_limits.h"

namespace tidemark::server {
namespace {

net::OutputLimit LimitFrom(const OutputBufferLimit& limit) {
  return {.hard_bytes = static_cast<size_t>(limit.hard_bytes),
          .soft_bytes = static_cast<size_t>(limit.soft_bytes),
          .soft_seconds = limit.soft_seconds};
}

void ReadOutputLimits(const Settings& settings, net::ConnectionSettings& connections) {
  const auto limits = ParseOutputBufferLimits(OutputBufferLimits(),
                                              settings.String(Setting::kClientOutputBufferLimit));
  CHECK(limits.ok());  // The setting keeps nothing else.
  const auto set = [&](net::OutputClass output_class, const OutputBufferLimit& limit) {
    connections.output_limits[static_cast<size_t>(output_class)] = LimitFrom(limit);
  };
  set(net::OutputClass::kNormal, limits->normal);
  set(net::OutputClass::kReplica, limits->replica);
  set(net::OutputClass::kPubSub, limits->pubsub);
}

}  // namespace

ClientSettings ClientSettings::From(const Settings& settings) {
  ClientSettings result;
  ReadOutputLimits(settings, result.connections);
  result.connections.query_buffer_limit_bytes =
      static_cast<size_t>(settings.Int(Setting::kClientQueryBufferLimit));
  result.connections.max_bulk_bytes = settings.Int(Setting::kProtoMaxBulkLen);
  result.connections.idle_timeout_ms = settings.Int(Setting::kTimeout) * 1000;
  result.keepalive_seconds = static_cast<int>(settings.Int(Setting::kTcpKeepalive));
  result.slow_log_threshold_us = settings.Int(Setting::kSlowlogLogSlowerThan);
  result.slow_log_max_length = static_cast<size_t>(settings.Int(Setting::kSlowlogMaxLen));
  result.staleness_bounds = {
      .max_ms = settings.Int(Setting::kMaxStalenessMs),
      .max_records = static_cast<uint64_t>(settings.Int(Setting::kMaxStalenessRecords))};
  result.track_wait_ms = settings.Int(Setting::kTrackWaitMs);
  return result;
}

}  // namespace tidemark::server
