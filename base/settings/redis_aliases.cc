#include "base/settings/redis_aliases.h"

namespace tidemark {
namespace {

constexpr RedisAlias kAliases[] = {
    {.name = "min-replicas-max-lag", .id = Setting::kMinReplicasMaxLagMs, .unit = 1000},
    {.name = "min-slaves-max-lag", .id = Setting::kMinReplicasMaxLagMs, .unit = 1000},
    {.name = "min-slaves-to-write", .id = Setting::kMinReplicasToWrite},
};

}  // namespace

std::span<const RedisAlias> RedisAliases() { return kAliases; }

SettingSpec SpecOf(const RedisAlias& alias, const SettingSpec& setting) {
  SettingSpec spec = setting;
  spec.redis_name = alias.name;
  spec.min = InUnitOf(alias, setting.min);
  spec.max = setting.max / alias.unit;
  return spec;
}

}  // namespace tidemark
