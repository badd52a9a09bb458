// The tier without threads on a simulated disk: demotions, reads, the bound, and each way in which
// a disk fails. Reclaim is in reclaim_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tier/tier_test_util.h"
#include "tier/unreadable_disk.h"
#include "wal/disk/simulated_disk.h"

namespace tidemark::tier {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using wal::SimulatedDisk;

constexpr char kFirstSegment[] = "/tier/values-0000000001.seg";

class ValueLogTest : public testing::Test {
 protected:
  void Start(const TierRig::Options& options = {}) {
    rig_ = nullptr;
    rig_ = std::make_unique<TierRig>(unreadable_, options);
  }
  ModelOwner& owner() { return rig_->owner(); }
  const ShardFront::Counters& counters() { return rig_->front().counters(); }

  // Sets and demotes, and sees it through.
  void PutCold(const std::string& key, const std::string& value) {
    owner().Set(key, value);
    ASSERT_EQ(owner().Demote(key), WriteOutcome::kQueued);
    rig_->Settle();
  }

  SimulatedDisk disk_{1};
  UnreadableDisk unreadable_{disk_};  // What the tier sees.
  std::unique_ptr<TierRig> rig_;
};

TEST_F(ValueLogTest, ADemotedValueReadsBack) {
  Start();
  PutCold("k", "value");
  ASSERT_TRUE(owner().IsCold("k"));
  EXPECT_EQ(*rig_->Get("k"), "value");
  EXPECT_EQ(counters().written.value(), 1u);
  EXPECT_EQ(counters().write_bytes_under_way.value(), 0);
}

TEST_F(ValueLogTest, TheValueStaysInMemoryUntilItCanBeRead) {
  Start();
  owner().Set("k", "value");
  owner().Demote("k");
  EXPECT_FALSE(owner().IsCold("k"));
  rig_->clock().AdvanceMillis(2);
  rig_->StepWriter();
  EXPECT_FALSE(owner().IsCold("k"));  // Written, and not yet told.
  EXPECT_TRUE(rig_->RunTask(0));
  EXPECT_TRUE(owner().IsCold("k"));
}

TEST_F(ValueLogTest, ValuesWaitForEachOtherAndGoOutInOneWrite) {
  Start();
  for (int i = 0; i < 8; ++i) {
    owner().Set(std::to_string(i), "value");
    owner().Demote(std::to_string(i));
  }
  EXPECT_EQ(rig_->StepWriter(), ValueWriter::kLingerNanos);
  EXPECT_EQ(rig_->state().writes.value(), 0u);
  rig_->Settle();
  EXPECT_EQ(rig_->state().writes.value(), 1u);
  EXPECT_EQ(owner().cold(), 8u);
}

// A shard that is short of memory sends value after value: one write and one sync for all of them.
TEST_F(ValueLogTest, UrgentValuesWaitForEachOtherWhileThereIsRoomForMore) {
  TierRig::Options options;
  options.front.max_write_bytes = 400;
  Start(options);
  const auto demote = [&](const std::string& key) {
    owner().Set(key, std::string(99, 'v'));
    ASSERT_EQ(owner().Demote(key, /*urgent=*/true), WriteOutcome::kQueued);
  };
  demote("a");
  demote("b");
  EXPECT_EQ(rig_->StepWriter(), ValueWriter::kLingerNanos);
  EXPECT_EQ(rig_->state().writes.value(), 0u);
  demote("c");
  rig_->StepWriter();
  EXPECT_EQ(rig_->state().writes.value(), 1u);
  rig_->Settle();
  EXPECT_EQ(owner().cold(), 3u);
  EXPECT_EQ(rig_->state().writes.value(), 1u);
}

TEST_F(ValueLogTest, AValueThatChangedMeanwhileIsNotTaken) {
  Start();
  owner().Set("k", "old");
  owner().Demote("k");
  owner().Set("k", "new");
  rig_->Settle();
  EXPECT_FALSE(owner().IsCold("k"));
  EXPECT_EQ(*rig_->Get("k"), "new");
  EXPECT_EQ(counters().stale.value(), 1u);
  EXPECT_EQ(rig_->store().totals().live_values, 0u);
}

TEST_F(ValueLogTest, OnlyTheNewestOfTwoWritesOfAKeyIsTaken) {
  Start();
  owner().Set("k", "old");
  owner().Demote("k");
  owner().Set("k", "new");
  owner().Demote("k");
  rig_->Settle();
  ASSERT_TRUE(owner().IsCold("k"));
  EXPECT_EQ(*rig_->Get("k"), "new");
  EXPECT_EQ(counters().stale.value(), 1u);
}

TEST_F(ValueLogTest, ASharedBufferIsNotCopied) {
  Start();
  const BufferRef value = Buffer::Copy("a large value");
  const WriteResult result =
      rig_->front().Write({.key = "k", .value = value->view(), .owner = value});
  ASSERT_TRUE(result.queued());
  // Taken by nobody: the model has no such key. It must still be what was given.
  rig_->Settle();
  EXPECT_EQ(counters().stale.value(), 1u);
  EXPECT_NE(disk_.Contents(kFirstSegment)->find("a large value"), std::string::npos);
}

TEST_F(ValueLogTest, CompressedValuesComeBackAndTakeLess) {
  Start({.writer = {.write_batch_bytes = 2048, .compress = true}});
  const std::string value(3000, 'v');
  PutCold("k", value);
  ASSERT_TRUE(owner().IsCold("k"));
  EXPECT_LT(owner().LocationOf("k").bytes, 200u);
  EXPECT_EQ(*rig_->Get("k"), value);
  EXPECT_EQ(rig_->state().raw_bytes.value(), 3000u);
  EXPECT_LT(rig_->state().stored_bytes.value(), 150u);
}

TEST_F(ValueLogTest, EmptyKeysAndValuesAreNoExceptions) {
  Start();
  PutCold("", "");
  ASSERT_TRUE(owner().IsCold(""));
  EXPECT_EQ(*rig_->Get(""), "");
}

TEST_F(ValueLogTest, ValuesFillSegmentAfterSegment) {
  Start();
  for (int i = 0; i < 12; ++i) PutCold(std::to_string(i), std::string(1000, 'a' + i));
  EXPECT_EQ(rig_->store().totals().segments, 4u);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(*rig_->Get(std::to_string(i)), std::string(1000, 'a' + i));
}

// --- Bounds. ---

TEST_F(ValueLogTest, AValueLargerThanASegmentIsRefused) {
  Start();
  owner().Set("k", std::string(4096, 'v'));
  EXPECT_EQ(owner().Demote("k"), WriteOutcome::kTooLarge);
  owner().Set("k", std::string(4096 - 24 - 24 - 1, 'v'));
  EXPECT_EQ(owner().Demote("k"), WriteOutcome::kQueued);
  rig_->Settle();
  EXPECT_TRUE(owner().IsCold("k"));
}

TEST_F(ValueLogTest, AFullTierRefusesAndTakesAgainWhenThereIsRoom) {
  Start();
  int i = 0;
  for (; i < 100; ++i) {
    owner().Set(std::to_string(i), std::string(1300, 'v'));  // Three a segment.
    if (owner().Demote(std::to_string(i)) != WriteOutcome::kQueued) break;
    rig_->Settle();
    ASSERT_LE(rig_->store().totals().file_bytes, 64u * 1024);
  }
  EXPECT_EQ(owner().cold(), 14u * 3);
  EXPECT_EQ(owner().Demote(std::to_string(i)), WriteOutcome::kFull);
  EXPECT_THAT(owner().not_written(), SizeIs(1));  // The one that found it full.
  for (int k = 0; k < 6; ++k) owner().Delete(std::to_string(k));
  rig_->Settle();
  EXPECT_EQ(owner().Demote(std::to_string(i)), WriteOutcome::kQueued);
  rig_->Settle();
  EXPECT_TRUE(owner().IsCold(std::to_string(i)));
}

TEST_F(ValueLogTest, AShardHasOnlySoMuchUnderWay) {
  TierRig::Options options;
  options.front.max_write_bytes = 1000;
  Start(options);
  for (const char* key : {"a", "b", "c"}) owner().Set(key, std::string(450, 'v'));
  EXPECT_EQ(owner().Demote("a"), WriteOutcome::kQueued);
  EXPECT_EQ(owner().Demote("b"), WriteOutcome::kQueued);
  EXPECT_EQ(rig_->front().write_pressure().state(), Pressure::kThrottled);
  EXPECT_EQ(owner().Demote("c"), WriteOutcome::kBusy);
  rig_->Settle();
  EXPECT_EQ(rig_->front().write_pressure().state(), Pressure::kNormal);
  EXPECT_EQ(owner().Demote("c"), WriteOutcome::kQueued);
}

TEST_F(ValueLogTest, ReadsUnderWayAreBounded) {
  TierRig::Options options;
  options.front.max_reads = 2;
  Start(options);
  for (const char* key : {"a", "b", "c"}) PutCold(key, "value");
  const auto read = [&](const std::string& key) {
    return rig_->front().Read(key, owner().LocationOf(key), [](auto, auto) {});
  };
  EXPECT_TRUE(read("a").ok());
  EXPECT_TRUE(read("b").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(read("c")));
  EXPECT_TRUE(read("a").ok());  // Shares.
  EXPECT_EQ(rig_->front().read_pressure().state(), Pressure::kSuspended);
  rig_->Settle();
  EXPECT_EQ(rig_->front().read_pressure().state(), Pressure::kNormal);
  EXPECT_TRUE(read("c").ok());
  EXPECT_EQ(counters().reads_refused.value(), 1u);
}

TEST_F(ValueLogTest, ThePaceOfDemotionsHolds) {
  TierRig::Options options;
  options.front.admission.bytes_per_second = 10'000;
  Start(options);
  for (int i = 0; i < 40; ++i) owner().Set(std::to_string(i), std::string(500, 'v'));
  int queued = 0;
  for (int i = 0; i < 40; ++i) {
    if (owner().Demote(std::to_string(i)) == WriteOutcome::kQueued) ++queued;
  }
  EXPECT_EQ(queued, 2);  // A tenth of a second's worth.
  EXPECT_EQ(owner().Demote("39", /*urgent=*/true), WriteOutcome::kQueued);
  rig_->clock().AdvanceMillis(1000);
  EXPECT_EQ(owner().Demote("38"), WriteOutcome::kQueued);
}

TEST_F(ValueLogTest, OneHitWondersAreNotWrittenDown) {
  TierRig::Options options;
  options.front.admission.on_second_try = true;
  Start(options);
  owner().Set("k", "value");
  EXPECT_EQ(owner().Demote("k"), WriteOutcome::kNotAdmitted);
  EXPECT_EQ(owner().Demote("k"), WriteOutcome::kQueued);
}

// --- Reads. ---

TEST_F(ValueLogTest, ReadsOfOneValueShareOneReadOfTheDisk) {
  Start();
  PutCold("k", "value");
  std::vector<std::string> got;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(rig_->front()
                    .Read("k", owner().LocationOf("k"),
                          [&](ValueLocation, absl::StatusOr<ReadValue> value) {
                            got.emplace_back(value->bytes);
                          })
                    .ok());
  }
  rig_->Settle();
  EXPECT_THAT(got, ElementsAre("value", "value", "value"));
  EXPECT_EQ(rig_->disk_reads(), 1u);
  EXPECT_EQ(counters().reads_shared.value(), 2u);
}

TEST_F(ValueLogTest, AWaiterMayAskAgain) {
  Start();
  PutCold("k", "value");
  const ValueLocation at = owner().LocationOf("k");
  int answers = 0;
  ASSERT_TRUE(rig_->front()
                  .Read("k", at,
                        [&](ValueLocation, auto) {
                          ++answers;
                          ASSERT_TRUE(
                              rig_->front().Read("k", at, [&](auto, auto) { ++answers; }).ok());
                        })
                  .ok());
  rig_->Settle();
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(rig_->disk_reads(), 2u);
}

TEST_F(ValueLogTest, AReadUnderWayOutlivesItsValueAndItsSegment) {
  Start();
  PutCold("k", "value");
  for (int i = 0; i < 3; ++i) PutCold(std::to_string(i), std::string(1900, 'v'));  // Seals it.
  std::string got;
  ASSERT_TRUE(rig_->front()
                  .Read("k", owner().LocationOf("k"),
                        [&](ValueLocation, absl::StatusOr<ReadValue> value) {
                          got = value.ok() ? value->bytes : value.status().ToString().c_str();
                        })
                  .ok());
  owner().Delete("k");
  owner().Delete("0");
  owner().Delete("1");
  rig_->StepWriter();
  EXPECT_TRUE(absl::IsNotFound(disk_.Contents(kFirstSegment).status()));
  rig_->Settle();
  EXPECT_EQ(got, "value");
}

TEST_F(ValueLogTest, APinKeepsAFreedValueReadable) {
  Start();
  PutCold("k", "value");
  for (int i = 0; i < 3; ++i) PutCold(std::to_string(i), std::string(1900, 'v'));
  const ValueLocation at = owner().LocationOf("k");
  TierPin pin = rig_->front().Pin(at);
  ASSERT_NE(pin, nullptr);
  for (const char* key : {"k", "0", "1"}) owner().Delete(key);
  rig_->Settle();
  EXPECT_EQ(*rig_->ReadCold("k", at), "value");
  EXPECT_EQ(rig_->front().ReadNow("k", at)->bytes, "value");
  const uint64_t with_pin = rig_->store().totals().file_bytes;
  pin = nullptr;
  rig_->Settle();
  EXPECT_LT(rig_->store().totals().file_bytes, with_pin);  // Pinned files count against the bound.
  EXPECT_TRUE(absl::IsNotFound(rig_->ReadCold("k", at).status()));
  EXPECT_TRUE(absl::IsNotFound(rig_->front().ReadNow("k", at).status()));
  EXPECT_EQ(rig_->front().Pin(at), nullptr);
}

// --- Reads that do not wait. ---

TEST_F(ValueLogTest, WhatIsInMemoryIsReadWithoutAThread) {
  Start();
  disk_.set_cached(SimulatedDisk::Cached::kAll);
  PutCold("k", "value");
  const auto value = rig_->front().ReadIfCached("k", owner().LocationOf("k"));
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ((*value)->bytes, "value");
  EXPECT_EQ(rig_->disk_reads(), 0u);
  EXPECT_EQ(counters().reads.value(), 1u);
  EXPECT_EQ(counters().reads_cached.value(), 1u);
  EXPECT_EQ(counters().read_bytes.value(), owner().LocationOf("k").bytes);
}

TEST_F(ValueLogTest, WhatIsNotInMemoryIsLeftToTheThreads) {
  Start();
  disk_.set_cached(SimulatedDisk::Cached::kNone);
  PutCold("k", "value");
  EXPECT_FALSE(rig_->front().ReadIfCached("k", owner().LocationOf("k")).has_value());
  EXPECT_EQ(counters().reads.value(), 0u);
  EXPECT_EQ(counters().reads_not_cached.value(), 1u);
  EXPECT_EQ(*rig_->Get("k"), "value");
  EXPECT_EQ(counters().reads.value(), 1u);
}

TEST_F(ValueLogTest, ReadsThatDoNotWaitAreBounded) {
  constexpr size_t kMax = ShardFront::kMaxCachedBytes;
  TierRig::Options options;
  options.max_bytes = 8 << 20;
  options.segment_bytes = 1 << 20;
  options.front.max_record_bytes = options.segment_bytes - kValueSegmentHeaderBytes;
  options.writer.compress = true;
  Start(options);
  disk_.set_cached(SimulatedDisk::Cached::kAll);
  std::string noise;
  for (uint32_t x = 1; noise.size() <= kMax; x = x * 1664525 + 1013904223) noise += char(x >> 24);
  PutCold("long", noise);
  PutCold("long once it is used", std::string(kMax + 1, 'v'));
  PutCold("compressed", std::string(kMax, 'v'));
  const auto is_read = [&](const std::string& key) {
    return rig_->front().ReadIfCached(key, owner().LocationOf(key)).has_value();
  };
  EXPECT_FALSE(is_read("long"));
  EXPECT_FALSE(is_read("long once it is used"));
  EXPECT_TRUE(is_read("compressed"));
  EXPECT_EQ(
      rig_->front().ReadIfCached("compressed", owner().LocationOf("compressed"))->value().bytes,
      std::string(kMax, 'v'));
  // While the disk has enough to do the page cache is not looked at.
  for (size_t i = 0; i < ShardFront::kMaxReadsBesideCached; ++i) {
    const std::string key = std::to_string(i);
    PutCold(key, "value");
  }
  for (size_t i = 0; i < ShardFront::kMaxReadsBesideCached; ++i) {
    EXPECT_TRUE(is_read("compressed")) << i;
    const std::string key = std::to_string(i);
    ASSERT_TRUE(rig_->front().Read(key, owner().LocationOf(key), [](auto, auto) {}).ok());
    EXPECT_FALSE(is_read(key)) << "a read that is under way is joined";
  }
  EXPECT_FALSE(is_read("compressed"));
  EXPECT_EQ(counters().reads_cached_passed.value(), 2 + ShardFront::kMaxReadsBesideCached);
  rig_->Settle();
  EXPECT_TRUE(is_read("compressed"));
}

// As what the threads read is.
TEST_F(ValueLogTest, WhatIsInMemoryIsProvedAsWell) {
  Start();
  disk_.set_cached(SimulatedDisk::Cached::kAll);
  PutCold("a", "first");
  PutCold("b", "second");
  const ValueLocation at = owner().LocationOf("a");
  const auto anothers = rig_->front().ReadIfCached("b", at);
  ASSERT_TRUE(anothers.has_value());
  EXPECT_TRUE(absl::IsDataLoss(anothers->status()));
  disk_.FlipBit(kFirstSegment, at.offset + at.bytes - 1, 0);
  const auto damaged = rig_->front().ReadIfCached("a", at);
  ASSERT_TRUE(damaged.has_value());
  EXPECT_TRUE(absl::IsDataLoss(damaged->status()));
  EXPECT_EQ(counters().damaged.value(), 2u);
  // What cannot be read is not answered here: a thread finds out why.
  unreadable_.set_unreadable(true);
  EXPECT_FALSE(rig_->front().ReadIfCached("b", owner().LocationOf("b")).has_value());
  EXPECT_EQ(counters().read_errors.value(), 0u);
}

TEST_F(ValueLogTest, WhatWasFreedIsNotReadThoughItIsInMemory) {
  Start();
  disk_.set_cached(SimulatedDisk::Cached::kAll);
  PutCold("k", "value");
  for (int i = 0; i < 3; ++i) PutCold(std::to_string(i), std::string(1900, 'v'));
  const ValueLocation at = owner().LocationOf("k");
  for (const char* key : {"k", "0", "1"}) owner().Delete(key);
  rig_->Settle();
  EXPECT_FALSE(rig_->front().ReadIfCached("k", at).has_value());
}

// --- A disk that fails. ---

struct WriteFailure {
  std::string_view name;
  void (*arm)(SimulatedDisk& disk);
  void (*mend)(SimulatedDisk& disk);
  uint64_t write_errors, disk_full;
};
class WriteFailureTest : public ValueLogTest, public testing::WithParamInterface<WriteFailure> {};

TEST_P(WriteFailureTest, ItsValuesStayInMemoryAndTheNextTryWorks) {
  Start();
  PutCold("before", "written");
  for (const char* key : {"a", "b"}) {
    owner().Set(key, std::string(2500, key[0]));
    ASSERT_EQ(owner().Demote(key), WriteOutcome::kQueued);
  }
  GetParam().arm(disk_);
  rig_->Settle();
  // One of them, or both, did not get through; neither is lost.
  EXPECT_LT(owner().cold(), 3u);
  EXPECT_EQ(*rig_->Get("a"), std::string(2500, 'a'));
  EXPECT_EQ(*rig_->Get("b"), std::string(2500, 'b'));
  EXPECT_EQ(*rig_->Get("before"), "written");
  EXPECT_GE(counters().failed.value(), 1u);
  EXPECT_EQ(rig_->state().write_errors.value(), GetParam().write_errors);
  EXPECT_EQ(rig_->state().disk_full.value(), GetParam().disk_full);
  EXPECT_EQ(counters().write_bytes_under_way.value(), 0);
  // For a while nobody tries.
  owner().Set("c", "value");
  EXPECT_EQ(owner().Demote("c"), WriteOutcome::kDown);

  GetParam().mend(disk_);
  rig_->clock().AdvanceMillis(1000);
  rig_->Settle();
  for (const char* key : {"a", "b", "c"}) {
    if (owner().IsCold(key)) continue;
    ASSERT_EQ(owner().Demote(key), WriteOutcome::kQueued) << key;
  }
  rig_->Settle();
  EXPECT_EQ(owner().cold(), 4u);
  for (const char* key : {"a", "b"}) EXPECT_EQ(*rig_->Get(key), std::string(2500, key[0]));
  EXPECT_EQ(*rig_->Get("c"), "value");
}

INSTANTIATE_TEST_SUITE_P(
    Failures, WriteFailureTest,
    testing::Values(WriteFailure{"Write", [](SimulatedDisk& d) { d.FailWrite(1); },
                                 [](SimulatedDisk&) {}, 1, 0},
                    WriteFailure{"Sync", [](SimulatedDisk& d) { d.FailSync(1); },
                                 [](SimulatedDisk&) {}, 1, 0},
                    WriteFailure{"ReadOnly", [](SimulatedDisk& d) { d.set_read_only(true); },
                                 [](SimulatedDisk& d) { d.set_read_only(false); }, 1, 0},
                    WriteFailure{"Full", [](SimulatedDisk& d) { d.set_capacity_bytes(4096 + 100); },
                                 [](SimulatedDisk& d) { d.set_capacity_bytes(1 << 20); }, 0, 1}),
    [](const auto& info) { return std::string(info.param.name); });

// Neither is the place written again, nor anything behind it.
TEST_F(ValueLogTest, AfterAFailedWriteTheNextGoesToAnotherFile) {
  Start();
  PutCold("before", "value");
  disk_.FailSync(1);
  PutCold("k", "value");
  ASSERT_FALSE(owner().IsCold("k"));
  rig_->clock().AdvanceMillis(1000);
  rig_->Settle();
  PutCold("k", "value");
  EXPECT_EQ(owner().LocationOf("before").segment, 1u);
  EXPECT_EQ(owner().LocationOf("k").segment, 2u);
}

TEST_F(ValueLogTest, ADirectoryThatIsRemovedUnderItIsMadeAgain) {
  Start();
  PutCold("k", "value");
  ASSERT_TRUE(disk_.RemoveTree("/tier").ok());
  EXPECT_EQ(*rig_->Get("k"), "value");  // Its file is open.
  for (int i = 0; i < 6; ++i) PutCold(std::to_string(i), std::string(1500, 'v'));
  EXPECT_EQ(owner().cold(), 7u);
  EXPECT_EQ(*rig_->Get("5"), std::string(1500, 'v'));
  EXPECT_EQ(rig_->state().write_errors.value(), 0u);
}

TEST_F(ValueLogTest, AReadThatFailsIsThatReadsErrorAlone) {
  Start();
  PutCold("k", "value");
  unreadable_.set_unreadable(true);
  EXPECT_TRUE(absl::IsInternal(rig_->Get("k").status()));
  EXPECT_TRUE(absl::IsInternal(rig_->front().ReadNow("k", owner().LocationOf("k")).status()));
  EXPECT_EQ(counters().read_errors.value(), 1u);
  EXPECT_EQ(counters().reads_now_failed.load(), 1u);
  EXPECT_EQ(counters().damaged.value(), 0u);
  unreadable_.set_unreadable(false);
  EXPECT_EQ(*rig_->Get("k"), "value");
}

TEST_F(ValueLogTest, ADamagedValueIsLostAloneAndHealedByOverwriting) {
  Start();
  PutCold("a", "first");
  PutCold("b", "second");
  const ValueLocation at = owner().LocationOf("a");
  disk_.FlipBit(kFirstSegment, at.offset + at.bytes - 1, 0);
  EXPECT_TRUE(absl::IsDataLoss(rig_->Get("a").status()));
  EXPECT_TRUE(absl::IsDataLoss(rig_->front().ReadNow("a", at).status()));
  EXPECT_EQ(*rig_->Get("b"), "second");
  EXPECT_EQ(counters().damaged.value(), 1u);
  EXPECT_EQ(counters().reads_now_damaged.load(), 1u);
  PutCold("a", "again");
  EXPECT_EQ(*rig_->Get("a"), "again");
}

TEST_F(ValueLogTest, AFileThatWasCutOrEmptiedLosesWhatIsCut) {
  Start();
  PutCold("a", "first");
  PutCold("b", "second");
  const std::string contents = *disk_.Contents(kFirstSegment);
  disk_.SetContents(kFirstSegment, contents.substr(0, owner().LocationOf("b").offset + 30));
  EXPECT_EQ(*rig_->Get("a"), "first");
  EXPECT_TRUE(absl::IsDataLoss(rig_->Get("b").status()));
  disk_.SetContents(kFirstSegment, "");
  EXPECT_TRUE(absl::IsDataLoss(rig_->Get("a").status()));
}

TEST_F(ValueLogTest, AnotherKeysRecordIsNotThisKeysValue) {
  Start();
  PutCold("a", "first");
  EXPECT_TRUE(absl::IsDataLoss(rig_->ReadCold("b", owner().LocationOf("a")).status()));
}

// --- Starts. ---

TEST_F(ValueLogTest, AStartDeletesOldSegmentsAndNothingElse) {
  Start();
  PutCold("k", "value");
  disk_.SetContents("/tier/values-0000000099.seg", "old");
  disk_.SetContents("/tier/values-99.seg", "not ours");
  disk_.SetContents("/tier/notes", "the operator's");
  Start();
  EXPECT_THAT(*disk_.List("/tier"), ElementsAre("LOCK", "notes", "values-99.seg"));
  PutCold("k", "value");
  EXPECT_EQ(owner().LocationOf("k").segment, 1u);
}

TEST_F(ValueLogTest, ADirectoryHasOneTier) {
  Start();
  const auto second =
      SegmentStore::Open(disk_, "/tier", {.max_bytes = 1 << 20, .segment_bytes = 1 << 12});
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
}

}  // namespace
}  // namespace tidemark::tier
