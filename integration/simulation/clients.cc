#include "integration/simulation/clients.h"

#include <cstdlib>
#include <utility>

#include "fmt/format.h"

namespace tidemark::simulation {
namespace {

constexpr size_t kRegisters = 6;
constexpr int kPairs = 4;
constexpr int kOtherKeys = 60;
constexpr int64_t kReplicaTimeoutMs = 100;
constexpr int64_t kHeldTimeoutMs = 300;

int64_t Below(std::mt19937_64& random, int64_t n) {
  return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
}

}  // namespace

Clients::Clients(Ledger* ledger, Situations* situations)
    : ledger_(ledger), situations_(situations) {
  for (size_t i = 0; i < kRegisters; ++i) {
    registers_.push_back({.key = fmt::format("register:{}", i),
                          .policy = static_cast<Policy>(i % static_cast<size_t>(Policy::kCount))});
  }
  for (int pair = 0; pair < kPairs; ++pair) {
    pairs_.push_back({fmt::format("pair:{}:a", pair), fmt::format("pair:{}:b", pair),
                      fmt::format("pair:{}:c", pair)});
  }
}

void Clients::Write(PrimaryNode& primary, int64_t commands, size_t max_value_bytes, uint64_t salt) {
  std::mt19937_64 random(salt);
  for (int64_t i = 0; i < commands; ++i) {
    if (!primary.takes_writes()) return situations_->Note(Situation::kWritesRefused);
    if (Below(random, 3) == 0) {
      const auto index = static_cast<size_t>(Below(random, kRegisters));
      const auto bytes = static_cast<size_t>(Below(random, static_cast<int64_t>(max_value_bytes)));
      WriteRegister(primary, registers_[index], bytes);
    } else {
      WriteOther(primary, random, max_value_bytes);
    }
  }
}

void Clients::WriteStale(PrimaryNode& primary, int64_t commands, uint64_t salt) {
  std::mt19937_64 random(salt);
  for (int64_t i = 0; i < commands && primary.takes_writes(); ++i) {
    WriteOther(primary, random, 300);
  }
}

void Clients::WriteRegister(PrimaryNode& primary, Register& target, size_t bytes) {
  const uint64_t value = ++target.written;
  const Watermarks reached =
      primary.Set(target.key, fmt::format("{}:{}", value, std::string(bytes, 'r')), 0);
  switch (target.policy) {
    case Policy::kMemory:
    case Policy::kCount:
      return;
    case Policy::kDurable:
    case Policy::kReplicas1:
    case Policy::kReplicas2:
    case Policy::kDurableReplicas1:
      return Hold(primary, target, reached, value);
    case Policy::kWait:
      ++unanswered_;
      return primary.WhenReplicated(
          reached, 1, kReplicaTimeoutMs,
          [this, reached, history = primary.history(), of = primaries_](int count) {
            if (of != primaries_) return;
            --unanswered_;
            if (count == 0) return situations_->Note(Situation::kWaitTimedOut);
            situations_->Note(Situation::kAckedByReplica);
            for (size_t shard = 0; shard < reached.size(); ++shard) {
              if (reached[shard] == Sequence()) continue;
              const ShardId id(static_cast<uint16_t>(shard));
              if (ledger_->EverApplied(history, id, reached[shard])) continue;
              ledger_->Fail("a write was acknowledged by a replica, and none has ever applied it");
            }
          });
  }
}

void Clients::Hold(PrimaryNode& primary, Register& target, const Watermarks& reached,
                   uint64_t value) {
  PrimaryNode::Need need;
  Situation situation = Situation::kAckedDurable;
  if (target.policy == Policy::kDurable) {
    need.own_disk = true;
  } else if (target.policy == Policy::kDurableReplicas1) {
    need = {.own_disk = true, .replicas = 1, .kind = replication::AckKind::kDurable};
    situation = Situation::kAckedByReplicasDisk;
  } else {
    need = {.own_disk = false,
            .replicas = target.policy == Policy::kReplicas1 ? 1 : 2,
            .kind = replication::AckKind::kApplied};
    situation = need.replicas == 1 ? Situation::kHeldForOne : Situation::kHeldForTwo;
  }
  ++unanswered_;
  const auto told = [this, &target, value, situation, of = primaries_](bool held) {
    if (of != primaries_) return;
    --unanswered_;
    if (!held) return situations_->Note(Situation::kHeldTimedOut);
    situations_->Note(situation);
    if (value <= target.acked) return;
    target.acked = value;
    target.acked_at = losses_;
  };
  primary.WhenHeld(reached, need, kHeldTimeoutMs, told);
}

void Clients::WriteOther(PrimaryNode& primary, std::mt19937_64& random, size_t max_value_bytes) {
  const std::string key = fmt::format("key:{}", Below(random, kOtherKeys));
  const int64_t now_ms = primary.WallMillis();
  const auto bytes = static_cast<size_t>(Below(random, static_cast<int64_t>(max_value_bytes)));
  const std::string value = fmt::format("{}:{}", next_value_++, std::string(bytes, 'v'));
  const int64_t choice = Below(random, 1'000);
  if (choice < 450) {
    primary.Set(key, value, 0);
  } else if (choice < 560) {
    // Also with times that have passed when they reach a replica.
    primary.Set(key, value, now_ms + 1 + Below(random, 200));
  } else if (choice < 670) {
    primary.Delete(key);
  } else if (choice < 740) {
    primary.Append(key, "more");
  } else if (choice < 800) {
    primary.Expire(key, Below(random, 2) == 0 ? 0 : now_ms + 1 + Below(random, 300));
  } else if (choice < 994) {
    primary.SetAll(pairs_[static_cast<size_t>(Below(random, kPairs))], value);
  } else {
    primary.FlushAll();
    for (Register& each : registers_) each.flushed = each.written;
  }
}

void Clients::OnPrimaryGone() {
  situations_->Note(Situation::kUnansweredAtCrash, unanswered_ > 0);
  unanswered_ = 0;
  ++primaries_;
}

void Clients::OnReplicaLost(const Losses& lost) {
  losses_.memory += lost.memory;
  losses_.disk += lost.disk;
}

void Clients::CheckRecovered(const Contents& contents) {
  for (Register& each : registers_) {
    Check(each, contents,
          each.policy == Policy::kDurable || each.policy == Policy::kDurableReplicas1);
  }
}

void Clients::CheckPromoted(const Contents& contents, size_t lost, bool best) {
  OnReplicaLost({.memory = lost + 1, .disk = lost + 1});
  for (Register& each : registers_) Check(each, contents, best && SurvivesPromotion(each));
}

bool Clients::SurvivesPromotion(const Register& target) const {
  const uint64_t memory = losses_.memory - target.acked_at.memory;
  const uint64_t disk = losses_.disk - target.acked_at.disk;
  switch (target.policy) {
    case Policy::kReplicas1:
      return memory <= 1;
    case Policy::kReplicas2:
      return memory <= 2;
    case Policy::kDurableReplicas1:
      return disk <= 1;
    default:
      return false;
  }
}

void Clients::Check(Register& target, const Contents& contents, bool must_be_there) {
  const auto found = contents.find(target.key);
  const uint64_t value =
      found == contents.end() ? 0 : std::strtoull(found->second.value.c_str(), nullptr, 10);
  // A flush that was not acknowledged may have come back, or not.
  const bool may_be_flushed = value == 0 && target.flushed >= target.acked;
  if (must_be_there && value < target.acked && !may_be_flushed) {
    ledger_->Fail(fmt::format("{} came back with value {}, and {} was acknowledged", target.key,
                              value, target.acked));
  }
  if (value > target.written) ledger_->Fail(target.key + " came back with a value never written");
  // What was lost by right is not missed again.
  if (value < target.acked) target.acked = value;
}

}  // namespace tidemark::simulation
