#include "base/pressure_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tidemark {
namespace {

using testing::Optional;

constexpr PressureInput kAllInputs[] = {PressureInput::kShardQueue, PressureInput::kLogBytes,
                                        PressureInput::kReplicaLag, PressureInput::kMemory,
                                        PressureInput::kExportLag};
constexpr PressureInput kShortages[] = {PressureInput::kMemory, PressureInput::kExportLag};
constexpr Work kAllWork[] = {Work::kRead,        Work::kDelete,      Work::kWrite,
                             Work::kBlocking,    Work::kSubscribe,   Work::kAdmin,
                             Work::kReplication, Work::kHousekeeping};
constexpr Pressure kAllPressures[] = {Pressure::kNormal, Pressure::kThrottled,
                                      Pressure::kSuspended};

TEST(PressureBoardTest, BeginsNormalAndAdmitsEverything) {
  const PressureBoard board;
  EXPECT_EQ(board.state(), Pressure::kNormal);
  EXPECT_EQ(board.holder(), std::nullopt);
  for (Work work : kAllWork) EXPECT_EQ(board.Decide(work), Action::kAdmit);
}

TEST(PressureBoardTest, TheWorstInputHoldsTheState) {
  PressureBoard board;
  board.Update(PressureInput::kExportLag, 88);
  EXPECT_EQ(board.state(), Pressure::kThrottled);
  EXPECT_THAT(board.holder(), Optional(PressureInput::kExportLag));
  board.Update(PressureInput::kMemory, 97);
  EXPECT_EQ(board.state(), Pressure::kSuspended);
  EXPECT_THAT(board.holder(), Optional(PressureInput::kMemory));
  board.Update(PressureInput::kMemory, 10);
  EXPECT_EQ(board.state(), Pressure::kThrottled);
  EXPECT_THAT(board.holder(), Optional(PressureInput::kExportLag));
  board.Update(PressureInput::kExportLag, 10);
  EXPECT_EQ(board.state(), Pressure::kNormal);
  EXPECT_EQ(board.holder(), std::nullopt);
}

TEST(PressureBoardTest, ATransitionTellsTheInputAndTheNodeBeforeAndAfter) {
  PressureBoard board;
  EXPECT_EQ(board.Update(PressureInput::kMemory, 84), std::nullopt);
  auto transition = board.Update(PressureInput::kMemory, 96);
  ASSERT_TRUE(transition);
  EXPECT_EQ(transition->input, PressureInput::kMemory);
  EXPECT_EQ(transition->input_now, Pressure::kSuspended);
  EXPECT_EQ(transition->node_before, Pressure::kNormal);
  EXPECT_EQ(transition->node_now, Pressure::kSuspended);

  // Another input moves below the one that holds the state: the node stays as it was.
  transition = board.Update(PressureInput::kReplicaLag, 86);
  ASSERT_TRUE(transition);
  EXPECT_EQ(transition->input_now, Pressure::kThrottled);
  EXPECT_EQ(transition->node_before, Pressure::kSuspended);
  EXPECT_EQ(transition->node_now, Pressure::kSuspended);
}

TEST(PressureBoardTest, CountsEachInputByItself) {
  PressureBoard board;
  for (int percent : {86, 96, 80, 70}) board.Update(PressureInput::kLogBytes, percent);
  EXPECT_EQ(board.throttled_total(PressureInput::kLogBytes), 2u);
  EXPECT_EQ(board.suspended_total(PressureInput::kLogBytes), 1u);
  EXPECT_EQ(board.throttled_total(PressureInput::kMemory), 0u);
}

TEST(PressureBoardTest, EachInputHasItsOwnThresholds) {
  PressureBoard board;
  ASSERT_TRUE(
      board.thresholds(PressureInput::kMemory)
          .Set({.throttle_enter = 50, .throttle_exit = 40, .suspend_enter = 60, .suspend_exit = 50})
          .ok());
  board.Update(PressureInput::kMemory, 60);
  board.Update(PressureInput::kLogBytes, 60);
  EXPECT_EQ(board.state(PressureInput::kMemory), Pressure::kSuspended);
  EXPECT_EQ(board.state(PressureInput::kLogBytes), Pressure::kNormal);
}

// docs/backpressure.md, "What each state does".
TEST(ActionTableTest, SaysWhatTheDocumentSays) {
  struct Row {
    Work work;
    Action throttled, mesh, log, lag, shortage;
  };
  constexpr auto kAdmit = Action::kAdmit;
  constexpr auto kLimit = Action::kLimit;
  constexpr auto kDelay = Action::kDelay;
  constexpr auto kRefuse = Action::kRefuse;
  constexpr Row kTable[] = {
      {Work::kRead, kLimit, kLimit, kLimit, kLimit, kLimit},
      {Work::kDelete, kLimit, kLimit, kDelay, kLimit, kLimit},
      {Work::kWrite, kLimit, kLimit, kDelay, kDelay, kRefuse},
      {Work::kBlocking, kLimit, kLimit, kLimit, kLimit, kRefuse},
      {Work::kSubscribe, kLimit, kLimit, kLimit, kLimit, kRefuse},
      {Work::kAdmin, kAdmit, kAdmit, kAdmit, kAdmit, kAdmit},
      {Work::kReplication, kAdmit, kAdmit, kAdmit, kAdmit, kAdmit},
      {Work::kHousekeeping, kDelay, kDelay, kDelay, kDelay, kDelay},
  };
  constexpr auto kSuspended = Pressure::kSuspended;
  for (const Row& row : kTable) {
    SCOPED_TRACE(static_cast<int>(row.work));
    for (PressureInput input : kAllInputs) {
      EXPECT_EQ(ActionFor(row.work, input, Pressure::kNormal), kAdmit);
      EXPECT_EQ(ActionFor(row.work, input, Pressure::kThrottled), row.throttled);
    }
    EXPECT_EQ(ActionFor(row.work, PressureInput::kShardQueue, kSuspended), row.mesh);
    EXPECT_EQ(ActionFor(row.work, PressureInput::kLogBytes, kSuspended), row.log);
    EXPECT_EQ(ActionFor(row.work, PressureInput::kReplicaLag, kSuspended), row.lag);
    for (PressureInput input : kShortages) {
      EXPECT_EQ(ActionFor(row.work, input, kSuspended), row.shortage);
    }
  }
}

TEST(ActionTableTest, AReplicaThatReadsSlowlyHoldsUpHousekeepingOnly) {
  for (Work work : kAllWork) {
    const Action expected = work == Work::kHousekeeping ? Action::kDelay : Action::kAdmit;
    EXPECT_EQ(ActionFor(work, PressureInput::kSubscriberQueue, Pressure::kThrottled), expected);
    EXPECT_EQ(ActionFor(work, PressureInput::kSubscriberQueue, Pressure::kSuspended), expected);
  }
}

TEST(ActionTableTest, ATierThatIsBusyIsShownAndActedUponByEachShard) {
  for (Work work : kAllWork) {
    EXPECT_EQ(ActionFor(work, PressureInput::kTierWrites, Pressure::kThrottled), Action::kAdmit);
    EXPECT_EQ(ActionFor(work, PressureInput::kTierWrites, Pressure::kSuspended), Action::kAdmit);
  }
  PressureBoard board;
  board.Update(PressureInput::kTierWrites, 100);
  EXPECT_EQ(board.holder(), PressureInput::kTierWrites);
  EXPECT_EQ(ToString(*board.holder()), "tier_writes");
}

TEST(ActionTableTest, NothingEverHoldsBackReplicationOrAdministration) {
  for (PressureInput input : kAllInputs) {
    for (Pressure pressure : kAllPressures) {
      EXPECT_EQ(ActionFor(Work::kReplication, input, pressure), Action::kAdmit);
      EXPECT_EQ(ActionFor(Work::kAdmin, input, pressure), Action::kAdmit);
    }
  }
}

TEST(ActionTableTest, NoActionSoftensAsPressureRises) {
  for (Work work : kAllWork) {
    for (PressureInput input : kAllInputs) {
      EXPECT_LE(ActionFor(work, input, Pressure::kNormal),
                ActionFor(work, input, Pressure::kThrottled));
      EXPECT_LE(ActionFor(work, input, Pressure::kThrottled),
                ActionFor(work, input, Pressure::kSuspended));
    }
  }
}

TEST(PressureBoardTest, WithMemoryFullAndReplicasBehindReadsAndDeletesStillRun) {
  PressureBoard board;
  for (PressureInput input :
       {PressureInput::kMemory, PressureInput::kReplicaLag, PressureInput::kExportLag}) {
    board.Update(input, 100);
  }
  EXPECT_EQ(board.Decide(Work::kWrite), Action::kRefuse);
  EXPECT_EQ(board.Decide(Work::kDelete), Action::kLimit);
  EXPECT_EQ(board.Decide(Work::kRead), Action::kLimit);
  EXPECT_EQ(board.Decide(Work::kAdmin), Action::kAdmit);
}

TEST(PressureBoardTest, TheSeverestInputDecides) {
  PressureBoard board;
  board.Update(PressureInput::kLogBytes, 100);
  EXPECT_EQ(board.Decide(Work::kWrite), Action::kDelay);
  EXPECT_EQ(board.Decide(Work::kDelete), Action::kDelay);
  board.Update(PressureInput::kMemory, 100);
  EXPECT_EQ(board.Decide(Work::kWrite), Action::kRefuse);
  EXPECT_EQ(board.Decide(Work::kDelete), Action::kDelay);
}

// Every input has its own updater; none may undo what another wrote into the shared word.
TEST(PressureBoardTest, UpdatersOfDifferentInputsDoNotDisturbEachOther) {
  PressureBoard board;
  std::vector<std::thread> updaters;
  for (PressureInput input : {PressureInput::kShardQueue, PressureInput::kMemory}) {
    updaters.emplace_back([&board, input] {
      Pressure mine = Pressure::kNormal;
      for (int i = 0; i < 20'000; ++i) {
        const auto transition = board.Update(input, (i * 31) % 101);
        if (transition) mine = transition->input_now;
        ASSERT_EQ(board.state(input), mine);
      }
    });
  }
  for (std::thread& updater : updaters) updater.join();
}

}  // namespace
}  // namespace tidemark
