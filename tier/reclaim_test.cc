// Reclaim, without threads on a simulated disk: live values move, whatever happens to them
// meanwhile.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>

#include "tier/tier_test_util.h"
#include "tier/unreadable_disk.h"
#include "wal/disk/simulated_disk.h"

namespace tidemark::tier {
namespace {

using wal::SimulatedDisk;

constexpr char kFirstSegment[] = "/tier/values-0000000001.seg";

std::string Value(int i) { return std::string(1200, static_cast<char>('a' + i % 26)); }

class ReclaimTest : public testing::Test {
 protected:
  void Start(const TierRig::Options& options = {}) {
    rig_ = std::make_unique<TierRig>(unreadable_, options);
  }
  ModelOwner& owner() { return rig_->owner(); }

  void PutCold(int i) {
    owner().Set(std::to_string(i), Value(i));
    ASSERT_EQ(owner().Demote(std::to_string(i)), WriteOutcome::kQueued);
    rig_->Settle();
  }
  // Three values fill the first segment, of which the second will be the only live one.
  void FillFirstSegment() {
    for (int i = 0; i < 4; ++i) PutCold(i);
    ASSERT_EQ(owner().LocationOf("2").segment, 1u);
    ASSERT_EQ(owner().LocationOf("3").segment, 2u);
  }
  // Makes the log so full that one live value in three is worth moving.
  void FillUp() {
    for (int i = 4; i < 27; ++i) PutCold(i);
  }
  void MakeGarbageOfFirst() {
    owner().Delete("0");
    owner().Delete("2");
  }
  void ExpectAllReadable() {
    for (int i = 0; i < 27; ++i) {
      const std::string key = std::to_string(i);
      if (!owner().Has(key)) continue;
      EXPECT_EQ(*rig_->Get(key), Value(i)) << key;
    }
  }

  SimulatedDisk disk_{1};
  UnreadableDisk unreadable_{disk_};  // What the tier sees.
  std::unique_ptr<TierRig> rig_;
};

TEST_F(ReclaimTest, TheLiveValueMovesAndTheSegmentGoes) {
  Start();
  FillFirstSegment();
  FillUp();
  const ValueLocation before = owner().LocationOf("1");
  MakeGarbageOfFirst();
  rig_->Settle();
  EXPECT_TRUE(absl::IsNotFound(disk_.Contents(kFirstSegment).status()));
  EXPECT_NE(owner().LocationOf("1"), before);
  EXPECT_EQ(rig_->state().reclaimed_segments.value(), 1u);
  EXPECT_EQ(rig_->state().reclaimed_bytes.value(), before.bytes);
  ExpectAllReadable();
}

TEST_F(ReclaimTest, WithRoomLeftNothingIsCopied) {
  Start();
  FillFirstSegment();
  MakeGarbageOfFirst();
  rig_->Settle();
  EXPECT_EQ(owner().LocationOf("1").segment, 1u);
  EXPECT_EQ(rig_->state().reclaimed_bytes.value(), 0u);
}

TEST_F(ReclaimTest, AnEmptySegmentGoesWithoutBeingRead) {
  Start();
  FillFirstSegment();
  for (const char* key : {"0", "1", "2"}) owner().Delete(key);
  rig_->StepWriter();
  EXPECT_TRUE(absl::IsNotFound(disk_.Contents(kFirstSegment).status()));
  EXPECT_EQ(rig_->state().reclaimed_segments.value(), 0u);
}

// Each takes place while reclaim waits for the shard: after it has asked, or after it has moved.
struct Race {
  std::string_view name;
  void (*change)(ModelOwner& owner);
};
class ReclaimRaceTest : public ReclaimTest,
                        public testing::WithParamInterface<std::tuple<Race, int>> {};

TEST_P(ReclaimRaceTest, TheNewerStateWins) {
  const auto& [race, answers_before] = GetParam();
  Start();
  FillFirstSegment();
  FillUp();
  MakeGarbageOfFirst();
  rig_->StepWriter();  // Asks.
  for (int i = 0; i < answers_before; ++i) {
    ASSERT_TRUE(rig_->RunTask(0));
    rig_->StepWriter();
  }
  race.change(owner());
  rig_->Settle();
  if (owner().Has("1")) {
    const std::string value = owner().ValueOf("1");
    EXPECT_EQ(*rig_->Get("1"), value);
  }
  ExpectAllReadable();
  // The books agree with the keyspace: no location is lost, and none is freed twice.
  EXPECT_EQ(rig_->store().totals().live_values, owner().cold());
  EXPECT_TRUE(absl::IsNotFound(disk_.Contents(kFirstSegment).status()));
}

INSTANTIATE_TEST_SUITE_P(
    Races, ReclaimRaceTest,
    testing::Combine(testing::Values(Race{"Delete", [](ModelOwner& o) { o.Delete("1"); }},
                                     Race{"Overwrite", [](ModelOwner& o) { o.Set("1", Value(1)); }},
                                     Race{"Promote", [](ModelOwner& o) { o.Promote("1"); }},
                                     Race{"PromoteAndDemote",
                                          [](ModelOwner& o) {
                                            o.Promote("1");
                                            o.Demote("1", /*urgent=*/true);
                                          }}),
                     testing::Values(0, 1)),
    [](const auto& info) {
      return std::string(std::get<0>(info.param).name) +
             (std::get<1>(info.param) == 0 ? "WhileAsked" : "WhileMoved");
    });

TEST_F(ReclaimTest, AReadUnderWayIsToldWhereItsValueIsNow) {
  Start();
  FillFirstSegment();
  FillUp();
  const ValueLocation before = owner().LocationOf("1");
  std::optional<ValueLocation> told;
  std::string got;
  ASSERT_TRUE(rig_->front()
                  .Read("1", before,
                        [&](ValueLocation at, absl::StatusOr<ReadValue> value) {
                          told = at;
                          got = std::string(value->bytes);
                        })
                  .ok());
  MakeGarbageOfFirst();
  for (int i = 0; i < 4; ++i) {  // Without a step of the reader.
    rig_->StepWriter();
    rig_->RunTask(0);
  }
  ASSERT_NE(owner().LocationOf("1"), before);
  // Whoever asks now, for the new place, shares the read of the old one.
  ASSERT_TRUE(rig_->front().Read("1", owner().LocationOf("1"), [](auto, auto) {}).ok());
  rig_->Settle();
  EXPECT_EQ(told, owner().LocationOf("1"));
  EXPECT_EQ(got, Value(1));
  EXPECT_EQ(rig_->disk_reads(), 1u);
}

TEST_F(ReclaimTest, AValueThatIsFreedLateHoldsItsSegmentUntilThen) {
  Start();
  FillFirstSegment();
  FillUp();
  owner().Drop("1");  // Its key is gone, its location is freed later.
  MakeGarbageOfFirst();
  rig_->Settle();
  EXPECT_TRUE(disk_.Contents(kFirstSegment).ok());
  EXPECT_EQ(rig_->store().totals().damaged_segments, 0u);
  owner().FreeDropped();
  rig_->Settle();
  EXPECT_TRUE(absl::IsNotFound(disk_.Contents(kFirstSegment).status()));
}

TEST_F(ReclaimTest, ADamagedValueStaysAndTheRestMoves) {
  Start();
  FillFirstSegment();
  FillUp();
  const ValueLocation at = owner().LocationOf("0");
  disk_.FlipBit(kFirstSegment, at.offset + at.bytes - 1, 3);
  owner().Delete("2");
  rig_->Settle();
  // 2 of 3 live is not worth it yet.
  for (int i = 27; i < 39; ++i) PutCold(i);
  rig_->Settle();
  EXPECT_NE(owner().LocationOf("1").segment, 1u);
  EXPECT_EQ(*rig_->Get("1"), Value(1));
  EXPECT_EQ(owner().LocationOf("0"), at);
  EXPECT_TRUE(absl::IsDataLoss(rig_->Get("0").status()));
  EXPECT_EQ(rig_->store().totals().damaged_segments, 1u);
  EXPECT_EQ(rig_->state().reclaim_damaged.value(), 1u);
  owner().Set("0", "healed");
  rig_->Settle();
  EXPECT_TRUE(absl::IsNotFound(disk_.Contents(kFirstSegment).status()));
  EXPECT_EQ(rig_->store().totals().damaged_segments, 0u);
}

TEST_F(ReclaimTest, BehindADamagedLengthNothingIsGuessed) {
  Start();
  FillFirstSegment();
  FillUp();
  disk_.FlipBit(kFirstSegment, owner().LocationOf("0").offset + 12, 3);
  MakeGarbageOfFirst();
  rig_->Settle();
  EXPECT_EQ(owner().LocationOf("1").segment, 1u);
  EXPECT_EQ(*rig_->Get("1"), Value(1));  // By its location it is found all the same.
  EXPECT_EQ(rig_->store().totals().damaged_segments, 1u);
}

TEST_F(ReclaimTest, AFailedWriteLeavesTheValueWhereItIsAndIsTriedAgain) {
  Start();
  FillFirstSegment();
  FillUp();
  MakeGarbageOfFirst();
  disk_.FailSync(1);
  rig_->Settle();
  EXPECT_EQ(owner().LocationOf("1").segment, 1u);
  EXPECT_EQ(*rig_->Get("1"), Value(1));
  EXPECT_EQ(rig_->state().write_errors.value(), 1u);
  rig_->clock().AdvanceMillis(10'000);
  rig_->Settle();
  EXPECT_NE(owner().LocationOf("1").segment, 1u);
  EXPECT_EQ(*rig_->Get("1"), Value(1));
}

TEST_F(ReclaimTest, ASegmentThatCannotBeReadNowIsTriedAgain) {
  Start();
  FillFirstSegment();
  FillUp();
  unreadable_.set_unreadable(true);
  MakeGarbageOfFirst();
  rig_->Settle();
  EXPECT_EQ(owner().LocationOf("1").segment, 1u);
  EXPECT_EQ(rig_->state().reclaim_read_errors.value(), 1u);
  EXPECT_EQ(rig_->store().totals().damaged_segments, 0u);
  unreadable_.set_unreadable(false);
  rig_->clock().AdvanceMillis(10'000);
  rig_->Settle();
  EXPECT_NE(owner().LocationOf("1").segment, 1u);
  EXPECT_EQ(*rig_->Get("1"), Value(1));
}

TEST_F(ReclaimTest, ItsPaceHolds) {
  TierRig::Options options;
  options.writer.reclaim_bytes_per_second = 1000;
  Start(options);
  FillFirstSegment();
  FillUp();
  MakeGarbageOfFirst();
  rig_->Settle();  // The balance is there for one chunk.
  EXPECT_NE(owner().LocationOf("1").segment, 1u);
  owner().Delete("3");
  owner().Delete("4");
  rig_->Settle();
  EXPECT_EQ(owner().LocationOf("5").segment, 2u);
  rig_->clock().AdvanceMillis(5000);
  rig_->Settle();
  EXPECT_NE(owner().LocationOf("5").segment, 2u);
}

TEST_F(ReclaimTest, ARecordLongerThanAChunkMovesToo) {
  TierRig::Options options;
  options.segment_bytes = 1 << 20;
  options.max_bytes = 8 << 20;
  options.front.max_record_bytes = (1 << 20) - 24;
  options.front.max_write_bytes = 8 << 20;
  Start(options);
  const auto put = [&](const std::string& key, size_t bytes) {
    owner().Set(key, std::string(bytes, key[0]));
    ASSERT_EQ(owner().Demote(key), WriteOutcome::kQueued);
    rig_->Settle();
  };
  put("small", 100);
  put("large", 300'000);
  put("garbage", 700'000);
  for (const char* key : {"p", "q", "r", "s"}) put(key, 1'000'000);
  owner().Delete("garbage");
  rig_->Settle();
  EXPECT_NE(owner().LocationOf("large").segment, 1u);
  EXPECT_EQ(*rig_->Get("large"), std::string(300'000, 'l'));
  EXPECT_EQ(*rig_->Get("small"), std::string(100, 's'));
}

// Shards that set, delete, demote, promote and read at random, with every step of every thread in
// random order, a log that is always nearly full, and a disk that now and then fails a write: no
// value is ever wrong or lost, the bound holds, and at the end the books agree with the keyspaces.
class TierSimulationTest : public testing::TestWithParam<uint64_t> {};

TEST_P(TierSimulationTest, NoValueIsEverWrongOrLost) {
  std::mt19937_64 random(GetParam());
  SimulatedDisk disk(GetParam());
  TierRig::Options options;
  options.shards = 2;
  options.max_bytes = 20 * 1024;
  options.segment_bytes = 2 * 1024;
  options.front.max_record_bytes = 2 * 1024 - kValueSegmentHeaderBytes;
  options.front.max_reads = 8;
  options.writer.compress = GetParam() % 2 == 0;
  TierRig rig(disk, options);

  uint64_t reads = 0;
  uint64_t stale_reads = 0;
  for (int step = 0; step < 10'000; ++step) {
    const size_t shard = random() % 2;
    ModelOwner& owner = rig.owner(shard);
    const std::string key = std::to_string(random() % 40);
    switch (random() % 12) {
      case 0:
      case 1:
        owner.Set(key, std::string(1 + random() % 900, static_cast<char>('a' + random() % 26)) +
                           std::to_string(step));
        break;
      case 2:
        owner.Delete(key);
        break;
      case 3:
      case 4:
        if (owner.Has(key) && !owner.IsCold(key)) owner.Demote(key, random() % 8 == 0);
        break;
      case 5:
        if (owner.Has(key)) owner.Promote(key);
        break;
      case 6:
      case 7:
        if (owner.Has(key) && owner.IsCold(key)) {
          const std::string wanted = owner.ValueOf(key);
          (void)rig.front(shard)
              .Read(key, owner.LocationOf(key),
                    [&, key, wanted](ValueLocation at, absl::StatusOr<ReadValue> value) {
                      ASSERT_TRUE(value.ok()) << value.status();
                      ++reads;
                      ASSERT_EQ(value->bytes, wanted);  // What stood there when it was asked for.
                      // If the entry is where the answer says, the answer is its value.
                      if (owner.IsAt(key, at)) {
                        ASSERT_EQ(value->bytes, owner.ValueOf(key));
                      } else {
                        ++stale_reads;
                      }
                    })
              .ok();
        }
        break;
      case 8:
        rig.StepReader();
        break;
      case 9:
        rig.RunTask(shard);
        rig.RunTask(shard);
        break;
      case 10:
        rig.StepWriter();
        break;
      case 11:
        rig.clock().AdvanceMillis(static_cast<int64_t>(random() % 4));
        if (random() % 100 == 0) disk.FailWrite(1 + random() % 3);
        if (random() % 100 == 0) disk.FailSync(1 + random() % 3);
        if (random() % 20 == 0) rig.clock().AdvanceMillis(1000);
    }
    ASSERT_LE(rig.store().totals().file_bytes, options.max_bytes);
    if (testing::Test::HasFatalFailure()) FAIL() << "step " << step;
  }
  rig.clock().AdvanceMillis(20'000);
  rig.Settle();
  size_t cold = 0;
  for (size_t shard = 0; shard < 2; ++shard) {
    cold += rig.owner(shard).cold();
    EXPECT_EQ(rig.front(shard).counters().write_bytes_under_way.value(), 0);
    EXPECT_EQ(rig.front(shard).counters().reads_under_way.value(), 0);
    for (int i = 0; i < 40; ++i) {
      const std::string key = std::to_string(i);
      if (!rig.owner(shard).Has(key)) continue;
      const auto value = rig.Get(key, shard);
      ASSERT_TRUE(value.ok()) << value.status();
      EXPECT_EQ(*value, rig.owner(shard).ValueOf(key));
    }
  }
  EXPECT_EQ(rig.store().totals().live_values, cold);
  // The run has been where it was sent.
  EXPECT_GT(reads, 0u);
  EXPECT_GT(stale_reads, 0u);
  EXPECT_GT(rig.state().reclaimed_segments.value(), 0u);
  EXPECT_GT(rig.state().write_errors.value(), 0u);
}

// $TIER_SIMULATION_SEEDS asks for more of them.
uint64_t SeedsToRun() {
  const char* const asked = std::getenv("TIER_SIMULATION_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : 20;
}

INSTANTIATE_TEST_SUITE_P(Seeds, TierSimulationTest, testing::Range<uint64_t>(1, 1 + SeedsToRun()));

}  // namespace
}  // namespace tidemark::tier
