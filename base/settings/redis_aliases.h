// Names that Redis gives to settings which a Tidemark node has under another name, and perhaps in
// another unit: CONFIG GET and CONFIG SET know both.

#ifndef TIDEMARK_BASE_SETTINGS_REDIS_ALIASES_H_
#define TIDEMARK_BASE_SETTINGS_REDIS_ALIASES_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "base/settings/setting_spec.h"

namespace tidemark {

// Of a kInt. CONFIG GET of a pattern shows an alias beside the setting.
struct RedisAlias {
  std::string_view name;
  Setting id;
  int64_t unit = 1;  // So many of the setting's own: 1000 for seconds of milliseconds.
};

std::span<const RedisAlias> RedisAliases();

// The setting's number in the alias's unit, rounded up: what is set to less than one is not "none".
constexpr int64_t InUnitOf(const RedisAlias& alias, int64_t number) {
  return number / alias.unit + (number % alias.unit != 0 ? 1 : 0);
}
// As a user writes the alias's value, with its bounds.
SettingSpec SpecOf(const RedisAlias& alias, const SettingSpec& setting);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_REDIS_ALIASES_H_
