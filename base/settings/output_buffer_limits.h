// The setting client_output_buffer_limit: for each class of client, how many bytes of replies may
// wait.

#ifndef TIDEMARK_BASE_SETTINGS_OUTPUT_BUFFER_LIMITS_H_
#define TIDEMARK_BASE_SETTINGS_OUTPUT_BUFFER_LIMITS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tidemark {

// A client is disconnected above `hard_bytes`, or after `soft_seconds` above `soft_bytes`. 0: no
// limit.
struct OutputBufferLimit {
  int64_t hard_bytes = 0;
  int64_t soft_bytes = 0;
  int64_t soft_seconds = 0;

  friend bool operator==(const OutputBufferLimit&, const OutputBufferLimit&) = default;
};

struct OutputBufferLimits {
  OutputBufferLimit normal, replica, pubsub;

  friend bool operator==(const OutputBufferLimits&, const OutputBufferLimits&) = default;
};

// Reads "class hard soft seconds ...", classes normal, replica (or slave) and pubsub; those that
// are not named stay as in `current`. The error's message is the detail that Redis gives in CONFIG
// SET.
absl::StatusOr<OutputBufferLimits> ParseOutputBufferLimits(const OutputBufferLimits& current,
                                                           std::string_view text);

// As CONFIG GET shows them: all three classes, sizes in bytes, with Redis' word for a replica.
std::string FormatOutputBufferLimits(const OutputBufferLimits& limits);

// SettingSpec::canonical.
absl::StatusOr<std::string> CanonicalOutputBufferLimits(std::string_view current,
                                                        std::string_view text);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_OUTPUT_BUFFER_LIMITS_H_
