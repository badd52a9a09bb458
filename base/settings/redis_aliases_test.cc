#include "base/settings/redis_aliases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

namespace tidemark {
namespace {

const RedisAlias& Alias(std::string_view name) {
  const auto aliases = RedisAliases();
  const auto it = std::find_if(aliases.begin(), aliases.end(),
                               [name](const RedisAlias& alias) { return alias.name == name; });
  EXPECT_NE(it, aliases.end()) << name;
  return *it;
}

// The name of CONFIG GET.
std::string RedisName(const SettingSpec& spec) {
  std::string name(spec.redis_name.empty() ? spec.name : spec.redis_name);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

TEST(RedisAliasesTest, EachIsANameThatNothingElseHas) {
  std::set<std::string> names;
  for (const SettingSpec& spec : SettingTable()) names.insert(RedisName(spec));
  for (const RedisAlias& alias : RedisAliases()) {
    EXPECT_TRUE(names.insert(std::string(alias.name)).second) << alias.name;
  }
}

// Of a text or of "none" there is no number in another unit.
TEST(RedisAliasesTest, EachIsOfANumber) {
  for (const RedisAlias& alias : RedisAliases()) {
    const SettingSpec& setting = SpecOf(alias.id);
    EXPECT_EQ(setting.type, SettingType::kInt) << alias.name;
    EXPECT_FALSE(setting.may_be_none) << alias.name;
    EXPECT_GE(setting.min, 0) << alias.name;
    EXPECT_GE(alias.unit, 1) << alias.name;
  }
}

TEST(RedisAliasesTest, AnAliasSharesAllButNameAndBounds) {
  for (const RedisAlias& alias : RedisAliases()) {
    const SettingSpec& setting = SpecOf(alias.id);
    const SettingSpec spec = SpecOf(alias, setting);
    EXPECT_EQ(spec.redis_name, alias.name);
    EXPECT_EQ(spec.id, setting.id);
    EXPECT_EQ(spec.type, setting.type);
    EXPECT_EQ(spec.change, setting.change);
    EXPECT_EQ(spec.roles, setting.roles);
  }
}

// What a user may write under either name is the same, but for what is no whole number of units.
TEST(RedisAliasesTest, BoundsAreTheSettingsOwnInTheAliasesUnit) {
  for (const RedisAlias& alias : RedisAliases()) {
    const SettingSpec& setting = SpecOf(alias.id);
    const SettingSpec spec = SpecOf(alias, setting);
    EXPECT_GE(spec.min * alias.unit, setting.min) << alias.name;
    EXPECT_LT((spec.min - 1) * alias.unit, setting.min) << alias.name;
    EXPECT_LE(spec.max * alias.unit, setting.max) << alias.name;
    EXPECT_GT(spec.max, (setting.max - alias.unit) / alias.unit) << alias.name;
  }
}

TEST(RedisAliasesTest, BoundsThatAreNoWholeUnitsAreRoundedInwards) {
  const RedisAlias seconds{.name = "lag", .id = Setting::kMinReplicasMaxLagMs, .unit = 1000};
  SettingSpec setting = SpecOf(seconds.id);
  setting.min = 1;
  setting.max = 2'999;
  const SettingSpec spec = SpecOf(seconds, setting);
  EXPECT_EQ(spec.min, 1);
  EXPECT_EQ(spec.max, 2);
}

TEST(RedisAliasesTest, ANumberIsRoundedUpToTheAliasesUnit) {
  const RedisAlias& seconds = Alias("min-replicas-max-lag");
  EXPECT_EQ(InUnitOf(seconds, 0), 0);
  EXPECT_EQ(InUnitOf(seconds, 1), 1) << "what is set is not shown as none";
  EXPECT_EQ(InUnitOf(seconds, 1'000), 1);
  EXPECT_EQ(InUnitOf(seconds, 1'001), 2);
  EXPECT_EQ(InUnitOf(seconds, 10'000), 10);
  EXPECT_EQ(InUnitOf(Alias("min-slaves-to-write"), 3), 3);
}

}  // namespace
}  // namespace tidemark
