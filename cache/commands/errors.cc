#include "cache/commands/errors.h"

#include <fmt/format.h>

namespace tidemark::cache {

std::string UnreadableValue(const absl::Status& why) {
  const absl::string_view text = why.message();
  return fmt::format("TIER the value of this key cannot be read from disk: {}",
                     std::string_view(text.data(), text.size()));
}

}  // namespace tidemark::cache
