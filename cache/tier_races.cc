#include "cache/tier_races.h"

#include <fmt/format.h>

#include <string_view>

namespace tidemark::cache {
namespace {

constexpr std::string_view kChangeNames[] = {"put",    "append", "delete", "rename",
                                             "expiry", "flush",  "walk",   "reclaim"};
constexpr std::string_view kUnderWayNames[] = {"demotion", "promotion", "read"};

}  // namespace

uint64_t TierRaces::total() const {
  uint64_t sum = 0;
  for (const auto& row : met) {
    for (const uint64_t count : row) sum += count;
  }
  return sum;
}

std::string TierRaces::Report() const {
  std::string text;
  for (int change = 0; change < kChanges; ++change) {
    text += fmt::format("{:>8} against", kChangeNames[change]);
    for (int other = 0; other < kUnderWays; ++other) {
      text += fmt::format("  {} {}", kUnderWayNames[other], met[change][other]);
    }
    text += "\n";
  }
  return text;
}

std::string TierRaces::Missing() const {
  for (int change = 0; change < kChanges; ++change) {
    for (int other = 0; other < kUnderWays; ++other) {
      // What is on disk is not on its way there.
      if (change == kReclaim && other == kDemotion) continue;
      if (met[change][other] > 0) continue;
      return fmt::format("{} against {}", kChangeNames[change], kUnderWayNames[other]);
    }
  }
  return "";
}

}  // namespace tidemark::cache
