// Random operations on a keyspace and on an obvious reference at once: a map, the mutations applied
// to a second map, and the state that each walk must show.

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

// Three fingerprints, and low bits that often agree: every lookup meets others' entries.
uint64_t CollidingHash(std::string_view key) {
  const uint64_t hash = KeyHash(key);
  return (hash % 3) << 32 | (hash >> 8 & 0x0f);
}

struct ModelCase {
  std::string_view name;
  uint64_t seed;
  int keys;
  int steps;
  bool effects_only;
  KeyTable::HashFunction hash_function;
};

void PrintTo(const ModelCase& c, std::ostream* os) { *os << c.name << " seed " << c.seed; }

class KeyspaceModelTest : public testing::TestWithParam<ModelCase> {
 protected:
  KeyspaceModelTest()
      : random_(GetParam().seed),
        keyspace_({.sink = GetParam().effects_only ? nullptr : &sink_,
                   .effects_only = GetParam().effects_only,
                   .random_seed = GetParam().seed,
                   .hash_function = GetParam().hash_function}) {
    sink_.set_keep_log(false);
    keyspace_.set_now_ms(now_ms_);
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  std::string RandomKeyName() {
    const uint64_t n = Below(GetParam().keys);
    // One in sixteen is long.
    return "key:" + std::to_string(n) + (n % 16 == 0 ? std::string(n % 300, 'k') : "");
  }

  std::string RandomValue() {
    const uint64_t kind = Below(100);
    const size_t size = kind == 0   ? kLargeValueBytes + Below(20'000)
                        : kind < 10 ? Below(2'000)
                                    : Below(100);
    std::string value(size, '\0');
    for (size_t i = 0; i < size; i += 7) value[i] = static_cast<char>(random_());
    return value;
  }

  int64_t RandomMoment() { return now_ms_ - 500 + static_cast<int64_t>(Below(4'000)); }

  Expiry RandomExpiry() {
    const uint64_t kind = Below(9);
    if (kind >= 3) return kNoExpiry;
    if (kind > 0) return RandomMoment();
    TtlExtras extras;
    if (Below(2) == 0) extras.idle_ms = static_cast<int64_t>(1 + Below(2'000));
    if (extras.idle_ms == 0 || Below(2) == 0) {
      extras.hard_at_ms = RandomMoment();
      extras.stale_ms = static_cast<int64_t>(1 + Below(1'000));
    }
    return Expiry::OfUseAt(now_ms_, extras);
  }

  KeyRef Ref(const std::string& key) { return {key, GetParam().hash_function(key)}; }

  bool Expired(const StoredValue& stored) const {
    return stored.expiry.at_ms != kNoExpiry && stored.expiry.at_ms <= now_ms_;
  }

  // The reference's version of "a primary deletes what has expired when it meets it".
  void DropExpired(const std::string& key) {
    const auto it = model_.find(key);
    if (it != model_.end() && Expired(it->second) && !GetParam().effects_only) model_.erase(it);
  }

  // A use may move the moment of a key with an idle time. How far is the keyspace's choice, within
  // what the idle time promises.
  void Use(const std::string& key) {
    Expiry& expiry = model_.at(key).expiry;
    const int64_t idle_ms = expiry.extras.idle_ms;
    if (idle_ms == 0 || GetParam().effects_only) return;
    const int64_t used_at_ms = Expiry::OfUseAt(now_ms_, expiry.extras).at_ms;
    const int64_t at_ms = keyspace_.Look(Ref(key))->expire_at_ms();
    EXPECT_GE(at_ms, expiry.at_ms);
    EXPECT_LE(at_ms, used_at_ms);
    EXPECT_LE(used_at_ms - at_ms, idle_ms / 8);
    expiry.at_ms = at_ms;
  }

  void SetRangeInModel(const std::string& key, size_t offset, const std::string& bytes) {
    std::string& value = model_[key].value;
    if (value.size() < offset + bytes.size()) value.resize(offset + bytes.size());
    value.replace(offset, bytes.size(), bytes);
  }

  void Write() {
    const std::string key = RandomKeyName();
    switch (Below(6)) {
      case 0: {
        const StoredValue stored{RandomValue(), RandomExpiry()};
        keyspace_.Set(Ref(key), stored.value, stored.expiry);
        model_[key] = stored;
        break;
      }
      case 1: {
        const std::string value = RandomValue();
        keyspace_.SetKeepExpiry(Ref(key), value);
        DropExpired(key);
        StoredValue& stored = model_[key];
        stored.value = value;
        if (stored.expiry.extras.idle_ms != 0) {
          stored.expiry = Expiry::OfUseAt(now_ms_, stored.expiry.extras);
        }
        break;
      }
      case 2: {
        const size_t offset = Below(Below(20) == 0 ? 40'000 : 100);
        const std::string bytes = RandomValue();
        const size_t length = keyspace_.SetRange(Ref(key), offset, bytes);
        DropExpired(key);
        SetRangeInModel(key, offset, bytes);
        Use(key);
        EXPECT_EQ(length, model_[key].value.size());
        break;
      }
      case 3:
      case 4: {
        const bool deleted = keyspace_.Delete(Ref(key));
        DropExpired(key);
        EXPECT_EQ(deleted, model_.erase(key) == 1);
        break;
      }
      case 5: {
        const Expiry expiry = RandomExpiry();
        const bool present = keyspace_.SetExpiry(Ref(key), expiry);
        DropExpired(key);
        const auto it = model_.find(key);
        EXPECT_EQ(present, it != model_.end());
        if (it != model_.end()) it->second.expiry = expiry;
        break;
      }
    }
  }

  void Apply() {
    const std::string key = RandomKeyName();
    switch (Below(5)) {
      case 0: {
        const StoredValue stored{RandomValue(), RandomExpiry()};
        keyspace_.ApplySet(Ref(key), stored.value, stored.expiry);
        model_[key] = stored;
        break;
      }
      case 1:
      case 2:
        keyspace_.ApplyDelete(Ref(key));
        model_.erase(key);
        break;
      case 3: {
        const Expiry expiry = RandomExpiry();
        keyspace_.ApplyExpiry(Ref(key), expiry);
        const auto it = model_.find(key);
        if (it != model_.end()) it->second.expiry = expiry;
        break;
      }
      case 4: {
        const size_t offset = Below(100);
        const std::string bytes = RandomValue();
        keyspace_.ApplySetRange(Ref(key), offset, bytes);
        SetRangeInModel(key, offset, bytes);
        break;
      }
    }
  }

  void Read() {
    const std::string key = RandomKeyName();
    const bool uses = Below(2) == 0;
    const Entry* entry = uses ? keyspace_.Find(Ref(key)) : keyspace_.Peek(Ref(key));
    DropExpired(key);
    const auto it = model_.find(key);
    const bool live = it != model_.end() && !Expired(it->second);
    ASSERT_EQ(entry != nullptr, live) << key;
    if (live && uses) Use(key);
    if (live) {
      ASSERT_EQ(StoredValueOf(*entry), it->second) << key;
    }
  }

  void ExpireInBackground() {
    keyspace_.ExpireSome(1 + Below(64));
    if (GetParam().effects_only) return;
    // Which of the expired went is the keyspace's choice; the mutations told.
    for (auto it = model_.begin(); it != model_.end();) {
      const bool gone = !sink_.replica().contains(it->first);
      EXPECT_TRUE(!gone || Expired(it->second)) << it->first;
      it = gone ? model_.erase(it) : std::next(it);
    }
  }

  void StepWalk() {
    if (!keyspace_.walking()) {
      if (Below(20) != 0) return;
      recorder_.emplace();
      at_begin_ = model_;
      keyspace_.BeginWalk(&*recorder_);
    } else if (Below(60) == 0) {
      keyspace_.CancelWalk();
    } else if (keyspace_.WalkSome(1 + Below(8))) {
      ASSERT_EQ(recorder_->seen(), at_begin_);
      ASSERT_EQ(recorder_->repeats(), 0);
      ++walks_completed_;
    }
  }

  void Flush() {
    if (GetParam().effects_only) {
      keyspace_.ApplyFlush();
    } else {
      keyspace_.Flush();
    }
    model_.clear();
  }

  void SwapIn() {
    if (keyspace_.walking() || !GetParam().effects_only) return;
    Keyspace staging({.effects_only = true, .hash_function = GetParam().hash_function});
    State staged;
    for (uint64_t n = Below(GetParam().keys); n > 0; --n) {
      const std::string key = RandomKeyName();
      const StoredValue stored{RandomValue(), RandomExpiry()};
      staging.ApplySet(Ref(key), stored.value, stored.expiry);
      staged[key] = stored;
    }
    keyspace_.SwapContents(staging);
    EXPECT_EQ(StateOf(staging), model_);
    model_ = staged;
  }

  void Verify() {
    ASSERT_TRUE(keyspace_.IsConsistent());
    ASSERT_EQ(keyspace_.size(), model_.size());
    std::set<std::string> live;
    for (const auto& [key, stored] : model_) {
      if (!Expired(stored)) live.insert(key);
    }
    std::multiset<std::string> scanned;
    uint64_t cursor = 0;
    do {
      cursor = keyspace_.Scan(cursor, 10, [&](const Entry& e) { scanned.emplace(e.key()); });
      ASSERT_LT(cursor, uint64_t{1} << 48);
    } while (cursor != 0);
    ASSERT_EQ(scanned, std::multiset<std::string>(live.begin(), live.end()));
    if (!GetParam().effects_only) {
      ASSERT_EQ(sink_.replica(), model_);
    }
    const std::string random_key = keyspace_.RandomKey();
    ASSERT_TRUE(live.empty() ? random_key.empty() : live.contains(random_key));
  }

  std::mt19937_64 random_;
  int64_t now_ms_ = 1'700'000'000'000;
  MutationRecorder sink_;
  Keyspace keyspace_;
  State model_;
  std::optional<WalkRecorder> recorder_;
  State at_begin_;
  int walks_completed_ = 0;
};

TEST_P(KeyspaceModelTest, AgreesWithAMapAndEveryWalkShowsTheStateAtItsBeginning) {
  // The mix drifts from growing to shrinking and back, so that splits and merges meet walks and
  // scans.
  for (int step = 0; step < GetParam().steps && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(step);
    now_ms_ += static_cast<int64_t>(Below(5));
    keyspace_.set_now_ms(now_ms_);
    for (int i = 0; i < 4; ++i) GetParam().effects_only ? Apply() : Write();
    Read();
    StepWalk();
    if (Below(10) == 0) ExpireInBackground();
    if (Below(3) == 0) keyspace_.Housekeeping(1 + Below(30));
    if (Below(1'500) == 0) Flush();
    if (Below(500) == 0) SwapIn();
    if (Below(200) == 0) Verify();
  }
  Verify();
  EXPECT_GT(walks_completed_, 3);
}

INSTANTIATE_TEST_SUITE_P(
    , KeyspaceModelTest,
    testing::Values(ModelCase{"Primary", 1, 3'000, 20'000, false, &KeyHash},
                    ModelCase{"PrimaryFewKeys", 2, 40, 20'000, false, &KeyHash},
                    ModelCase{"Replica", 3, 3'000, 20'000, true, &KeyHash},
                    ModelCase{"PrimaryColliding", 4, 500, 10'000, false, &CollidingHash},
                    ModelCase{"ReplicaColliding", 5, 500, 10'000, true, &CollidingHash}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tidemark::cache
