#include "server/client_settings.h"

#include <sstream>
#include <string>

namespace tidemark::server {
namespace {

// "normal 0 0 0 replica 268435456 67108864 60 ...", as the setting keeps it: class, hard and soft
// bytes, soft seconds.
void ReadOutputLimits(const std::string& text, net::ConnectionSettings& settings) {
  std::istringstream words(text);
  std::string name;
  net::OutputLimit limit;
  while (words >> name >> limit.hard_bytes >> limit.soft_bytes >> limit.soft_seconds) {
    const net::OutputClass output_class = name == "normal"   ? net::OutputClass::kNormal
                                          : name == "pubsub" ? net::OutputClass::kPubSub
                                                             : net::OutputClass::kReplica;
    settings.output_limits[static_cast<size_t>(output_class)] = limit;
  }
}

}  // namespace

ClientSettings ClientSettings::From(const Settings& settings) {
  ClientSettings result;
  ReadOutputLimits(settings.String(Setting::kClientOutputBufferLimit), result.connections);
  result.connections.query_buffer_limit_bytes =
      static_cast<size_t>(settings.Int(Setting::kClientQueryBufferLimit));
  result.connections.max_bulk_bytes = settings.Int(Setting::kProtoMaxBulkLen);
  result.connections.idle_timeout_ms = settings.Int(Setting::kTimeout) * 1000;
  result.slow_log_threshold_us = settings.Int(Setting::kSlowlogLogSlowerThan);
  result.slow_log_max_length = static_cast<size_t>(settings.Int(Setting::kSlowlogMaxLen));
  return result;
}

}  // namespace tidemark::server
