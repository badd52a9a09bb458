// TierRaceWorld is one simulated shard with a few keys on which everything happens at once: values
// go to disk and come back, commands wait for reads, and meanwhile keys are overwritten, deleted,
// renamed, flushed, expire, are walked over and are moved within the disk. What is under way ends
// when the random numbers say so, or much later. One seed is one run, always the same.
//
//   TierRaceWorld world(seed, &races);
//   const std::string fault = world.Run();   // Empty: no stale and no lost value.
//
// Two oracles: a plain map that commands are applied to as well, with which every answer and, in
// the end, every value is compared; and the keyspace's own mutations, by which a walk is judged.
//
// A race is counted where a change or a walk meets something under way for its key. There are more
// of them than a shard has: without locks, commands that wait for the disk run in any order.
//
// Threading: none, and no clock.

#ifndef TIDEMARK_CACHE_TIER_RACE_WORLD_H_
#define TIDEMARK_CACHE_TIER_RACE_WORLD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cache/cold_access.h"
#include "cache/cold_values.h"
#include "cache/command.h"
#include "cache/fake_tier.h"
#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"
#include "cache/tier_races.h"

namespace tidemark::cache {

class TierRaceWorld {
 public:
  TierRaceWorld(uint64_t seed, TierRaces* races);

  // What went wrong, with the step at which it was seen; empty if nothing did.
  std::string Run();

 private:
  struct Promotion {
    std::string key;
    tier::ValueLocation at;
    std::string value;
  };
  struct Call {
    std::vector<std::string> args;
    StagedValues staged;
  };
  using Met = std::array<bool, TierRaces::kUnderWays>;

  void Step();
  // What is under way begins, ends or fails.
  void Demote();
  void FinishWrite();
  void FinishRead();
  void LandPromotion();
  void Reclaim();
  // Something happens meanwhile.
  void Send(std::vector<std::string> args);
  void AdvanceClock();
  void Flush();
  void Walk();
  // All comes to rest, and is compared.
  void Settle();
  void CheckWalk();

  // Calls the command's handler; if its values are not there it is called again when they are.
  void Try(const std::shared_ptr<Call>& call);
  // The answer that the map gives, on which the command is carried out.
  std::string Expected(const std::vector<std::string>& args);

  Met UnderWay(const std::string& key) const;
  void Count(TierRaces::Change change, const Met& met);
  void CountAll(TierRaces::Change change);
  void Fail(const std::string& what);

  std::string Key() { return std::string(1, static_cast<char>('a' + random_() % 4)); }
  std::string Value() { return std::string(64, '.') + std::to_string(++last_value_); }
  bool OneIn(uint32_t n) { return random_() % n == 0; }

  std::mt19937_64 random_;
  TierRaces* const races_;
  int step_ = 0;
  uint64_t last_value_ = 0;
  int64_t now_ms_ = 1'700'000'000'000;
  std::string fault_;

  CommandTable commands_;
  MutationRecorder mutations_;
  FakeTier tier_;
  Keyspace keyspace_{{.sink = &mutations_}};
  ColdAccess access_;
  std::unique_ptr<ColdValues> cold_;
  State expected_;

  std::deque<std::string> demoting_;            // Keys, in the order of the tier's writes.
  std::vector<std::shared_ptr<Call>> waiting_;  // For the disk.
  std::deque<Promotion> promotions_;
  std::unique_ptr<WalkRecorder> walk_;
  State walk_expected_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_TIER_RACE_WORLD_H_
