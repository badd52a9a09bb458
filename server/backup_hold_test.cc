#include "server/backup_hold.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace tidemark::server {
namespace {

TEST(BackupHoldTest, NothingIsPrunedWhileABackupIsUnderWay) {
  BackupHold hold;
  const absl::StatusOr<uint64_t> id = hold.Begin(1000, 500);
  ASSERT_TRUE(id.ok());
  EXPECT_FALSE(hold.BeginPruning(1100));
  EXPECT_TRUE(hold.End(*id, 1200));
  EXPECT_TRUE(hold.BeginPruning(1200));
}

TEST(BackupHoldTest, AToolThatDiedHoldsNothingForLong) {
  BackupHold hold;
  const absl::StatusOr<uint64_t> id = hold.Begin(1000, 500);
  ASSERT_TRUE(id.ok());
  EXPECT_FALSE(hold.BeginPruning(1499));
  EXPECT_TRUE(hold.BeginPruning(1500));
  hold.EndPruning();
  EXPECT_FALSE(hold.End(*id, 1500));
  EXPECT_TRUE(hold.Begin(1500, 500).ok());
}

TEST(BackupHoldTest, OnlyOneAtATime) {
  BackupHold hold;
  const absl::StatusOr<uint64_t> first = hold.Begin(1000, 500);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(hold.Begin(1100, 500).status()));
  EXPECT_TRUE(hold.End(*first, 1100));
  const absl::StatusOr<uint64_t> second = hold.Begin(1100, 500);
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(hold.End(*first, 1100));  // Not the one that holds now.
  EXPECT_FALSE(hold.BeginPruning(1100));
}

TEST(BackupHoldTest, DoesNotBeginAmidDeletions) {
  BackupHold hold;
  ASSERT_TRUE(hold.BeginPruning(1000));
  EXPECT_TRUE(absl::IsUnavailable(hold.Begin(1000, 500).status()));
  hold.EndPruning();
  EXPECT_TRUE(hold.Begin(1000, 500).ok());
}

}  // namespace
}  // namespace tidemark::server
