#include "cache/tier_race_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/key_hash.h"
#include "cache/commands/recorded_reply.h"

namespace tidemark::cache {
namespace {

constexpr int kSteps = 400;
// Beyond it the oldest goes, as the pool's queue does it.
constexpr size_t kMaxPromotions = 8;

std::optional<TierRaces::Change> ChangeOf(std::string_view verb) {
  if (verb == "SET") return TierRaces::kPut;
  if (verb == "APPEND") return TierRaces::kAppend;
  if (verb == "DEL") return TierRaces::kDelete;
  if (verb == "RENAME") return TierRaces::kRename;
  return std::nullopt;
}

}  // namespace

TierRaceWorld::TierRaceWorld(uint64_t seed, TierRaces* races) : random_(seed), races_(races) {
  commands_.Add(CommandTable::DataCommands());
  mutations_.set_keep_log(false);
  ColdValues::Options options;
  options.promote = [this](std::string_view key, const tier::ValueLocation& at,
                           const tier::ReadValue& value) {
    if (promotions_.size() == kMaxPromotions) promotions_.pop_front();
    promotions_.push_back({std::string(key), at, std::string(value.bytes)});
  };
  cold_ = std::make_unique<ColdValues>(options, &keyspace_, &tier_);
  tier_.set_cached([this](std::string_view) { return OneIn(4); });
  keyspace_.set_now_ms(now_ms_);
}

std::string TierRaceWorld::Run() {
  for (step_ = 1; step_ <= kSteps && fault_.empty(); ++step_) Step();
  ++races_->worlds;
  if (fault_.empty()) Settle();
  // What is left must not call a world that is gone.
  tier_.FinishAll();
  return fault_;
}

void TierRaceWorld::Step() {
  using World = TierRaceWorld;
  struct Event {
    uint32_t weight;
    void (*happens)(World& world);
  };
  static constexpr Event kEvents[] = {
      {6, [](World& w) { w.Demote(); }},
      {3, [](World& w) { w.FinishWrite(); }},
      {3, [](World& w) { w.FinishRead(); }},
      {2, [](World& w) { w.LandPromotion(); }},
      {1, [](World& w) { w.Reclaim(); }},
      {3,
       [](World& w) {
         w.Send({"SET", w.Key(), w.Value()});
       }},
      {5,
       [](World& w) {
         w.Send({"GET", w.Key()});
       }},
      {1,
       [](World& w) {
         w.Send({"APPEND", w.Key(), "+"});
       }},
      {1,
       [](World& w) {
         w.Send({"DEL", w.Key()});
       }},
      {1,
       [](World& w) {
         w.Send({"RENAME", w.Key(), w.Key()});
       }},
      {1,
       [](World& w) {
         w.Send({"PEXPIREAT", w.Key(), std::to_string(w.now_ms_ + 1 + w.random_() % 20)});
       }},
      {2, [](World& w) { w.AdvanceClock(); }},
      {1, [](World& w) { w.OneIn(4) ? w.Flush() : void(w.keyspace_.Housekeeping(2)); }},
      {2, [](World& w) { w.Walk(); }},
  };
  static constexpr uint32_t kWeights = [] {
    uint32_t sum = 0;
    for (const Event& event : kEvents) sum += event.weight;
    return sum;
  }();
  cold_->BeginTurn();
  tier_.set_fail_writes(OneIn(20));
  auto drawn = static_cast<uint32_t>(random_() % kWeights);
  for (const Event& event : kEvents) {
    if (drawn < event.weight) return event.happens(*this);
    drawn -= event.weight;
  }
}

void TierRaceWorld::Fail(const std::string& what) {
  if (fault_.empty()) fault_ = fmt::format("step {}: {}", step_, what);
}

// --- The tier ---

void TierRaceWorld::Demote() {
  const std::string key = Key();
  const KeyRef ref = KeyRef::Of(key);
  const Entry* const entry = keyspace_.Look(ref);
  if (entry == nullptr || !cold_->Wants(*entry)) return;
  if (cold_->Take(*entry, ref.hash)) demoting_.push_back(key);
}

void TierRaceWorld::FinishWrite() {
  if (demoting_.empty()) return;
  if (keyspace_.walking()) Count(TierRaces::kWalk, {true, false, false});
  demoting_.pop_front();
  tier_.FinishWrite();
}

void TierRaceWorld::FinishRead() {
  if (tier_.reads_under_way() > 0) tier_.FinishRead(random_() % tier_.reads_under_way());
}

void TierRaceWorld::LandPromotion() {
  if (promotions_.empty()) return;
  const size_t which = random_() % promotions_.size();
  const Promotion promotion = promotions_[which];
  if (keyspace_.walking()) Count(TierRaces::kWalk, {false, true, false});
  // At times the request stays, to come once more when it is stale.
  if (!OneIn(4)) promotions_.erase(promotions_.begin() + static_cast<std::ptrdiff_t>(which));
  cold_->Land(KeyRef::Of(promotion.key), promotion.at, promotion.value);
}

void TierRaceWorld::Reclaim() {
  const std::string key = Key();
  const Entry* const entry = keyspace_.Look(KeyRef::Of(key));
  if (entry == nullptr || !entry->cold()) return;
  Count(TierRaces::kReclaim, UnderWay(key));
  if (!tier_.Reclaim(entry->location())) Fail("a live value could not be moved");
}

// --- What happens meanwhile ---

void TierRaceWorld::Send(std::vector<std::string> args) {
  Try(std::make_shared<Call>(Call{.args = std::move(args), .staged = {}}));
}

void TierRaceWorld::Try(const std::shared_ptr<Call>& call) {
  const std::vector<std::string_view> args(call->args.begin(), call->args.end());
  const CommandSpec& command = *commands_.Find(args[0]);
  CommandContext context{keyspace_, command, KeyHash(args[1]), false, &access_};
  while (true) {
    const Met met = UnderWay(call->args[1]);
    RecordedReply reply;
    access_.set_staged(&call->staged);
    command.handler(context, args, reply);
    access_.set_staged(nullptr);
    if (!access_.any_needed()) {
      if (const auto change = ChangeOf(args[0])) Count(*change, met);
      const std::string expected = Expected(call->args);
      if (reply.text() == expected) return;
      return Fail(
          fmt::format("{} {} answers {}, not {}", args[0], args[1], reply.text(), expected));
    }
    std::vector<NeededValue> needed = access_.TakeNeeded();
    if (cold_->StageCached(needed, call->staged)) continue;
    waiting_.push_back(call);
    return cold_->Fetch(std::move(needed), &call->staged, [this, call] {
      std::erase(waiting_, call);
      Try(call);
    });
  }
}

std::string TierRaceWorld::Expected(const std::vector<std::string>& args) {
  std::erase_if(expected_, [this](const auto& pair) {
    const int64_t at = pair.second.expiry.at_ms;
    return at != kNoExpiry && at <= now_ms_;
  });
  const std::string& verb = args[0];
  const auto it = expected_.find(args[1]);
  const bool there = it != expected_.end();
  if (verb == "GET") return there ? Quoted(it->second.value) : "nil";
  if (verb == "DEL") return fmt::format(":{}", expected_.erase(args[1]));
  if (verb == "SET") {
    expected_[args[1]] = {args[2], kNoExpiry};
    return "+OK";
  }
  if (verb == "APPEND") {
    std::string& value = expected_[args[1]].value;
    return fmt::format(":{}", value.append(args[2]).size());
  }
  if (verb == "PEXPIREAT") {
    if (there) it->second.expiry = std::stoll(args[2]);
    return there ? ":1" : ":0";
  }
  if (!there) return "-ERR no such key";
  const StoredValue moved = it->second;
  expected_.erase(it);
  expected_[args[2]] = moved;
  return "+OK";
}

void TierRaceWorld::AdvanceClock() {
  const int64_t before_ms = now_ms_;
  now_ms_ += 1 + static_cast<int64_t>(random_() % 5);
  for (const auto& [key, stored] : expected_) {
    if (stored.expiry.at_ms == kNoExpiry || stored.expiry.at_ms <= before_ms) continue;
    if (stored.expiry.at_ms <= now_ms_) Count(TierRaces::kExpiry, UnderWay(key));
  }
  keyspace_.set_now_ms(now_ms_);
  if (OneIn(2)) keyspace_.ExpireSome(64);
}

void TierRaceWorld::Flush() {
  CountAll(TierRaces::kFlush);
  keyspace_.Flush();
  expected_.clear();
}

void TierRaceWorld::Walk() {
  if (!keyspace_.walking()) {
    CountAll(TierRaces::kWalk);
    walk_ = std::make_unique<WalkRecorder>();
    walk_expected_ = mutations_.replica();
    return keyspace_.BeginWalk(walk_.get());
  }
  if (OneIn(20)) return keyspace_.CancelWalk();
  if (keyspace_.WalkSome(1 + random_() % 2)) CheckWalk();
}

void TierRaceWorld::CheckWalk() {
  if (walk_->seen() != walk_expected_) Fail("a walk did not show what there was when it began");
  if (walk_->repeats() > 0) Fail("a walk showed a key twice");
  if (walk_->unreadable() > 0) Fail("a walk could not read a value");
}

// --- Races ---

TierRaceWorld::Met TierRaceWorld::UnderWay(const std::string& key) const {
  Met met{};
  met[TierRaces::kDemotion] = std::find(demoting_.begin(), demoting_.end(), key) != demoting_.end();
  met[TierRaces::kPromotion] =
      std::any_of(promotions_.begin(), promotions_.end(), [&](const Promotion& promotion) {
        return promotion.key == key && keyspace_.IsAt(KeyRef::Of(key), promotion.at);
      });
  met[TierRaces::kRead] =
      std::any_of(waiting_.begin(), waiting_.end(),
                  [&](const std::shared_ptr<Call>& call) { return call->args[1] == key; });
  return met;
}

void TierRaceWorld::Count(TierRaces::Change change, const Met& met) {
  for (size_t i = 0; i < met.size(); ++i) races_->met[change][i] += met[i] ? 1 : 0;
}

void TierRaceWorld::CountAll(TierRaces::Change change) {
  for (const auto& [key, stored] : expected_) Count(change, UnderWay(key));
}

// --- The end ---

void TierRaceWorld::Settle() {
  tier_.set_fail_writes(false);
  while (keyspace_.walking()) {
    if (keyspace_.WalkSome(10)) {
      CheckWalk();
    } else {
      tier_.FinishAll();
    }
  }
  tier_.FinishAll();
  demoting_.clear();
  while (!promotions_.empty()) LandPromotion();
  while (keyspace_.Housekeeping(10)) {
  }
  for (char key = 'a'; key < 'e'; ++key) {
    Send({"GET", std::string(1, key)});
    tier_.FinishAll();
  }
  if (!waiting_.empty()) Fail("a command waits for good");
  if (mutations_.replica() != expected_) Fail("a replica differs");
  if (tier_.live() != keyspace_.cold_size()) Fail("the tier keeps what nobody holds");
  if (!keyspace_.IsConsistent()) Fail("the keyspace is not consistent");
}

}  // namespace tidemark::cache
