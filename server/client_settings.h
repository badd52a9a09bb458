// ClientSettings is what the shards need to know of the settings that clients meet.

#ifndef TIDEMARK_SERVER_CLIENT_SETTINGS_H_
#define TIDEMARK_SERVER_CLIENT_SETTINGS_H_

#include <cstddef>
#include <cstdint>

#include "base/settings/settings.h"
#include "net/client_connection.h"
#include "server/freshness.h"

namespace tidemark::server {

struct ClientSettings {
  net::ConnectionSettings connections;
  int keepalive_seconds = 300;  // Of new connections; 0: off.
  int64_t slow_log_threshold_us = 10'000;
  size_t slow_log_max_length = 128;
  StalenessBounds staleness_bounds;
  int64_t track_wait_ms = 1'000;

  static ClientSettings From(const Settings& settings);
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_CLIENT_SETTINGS_H_
