#include "base/fair_share.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(FairShareTest, OneTenantMayHaveAll) {
  const FairShare share(64);
  EXPECT_EQ(share.cap(), 64);
  EXPECT_TRUE(share.Admits(63));
  EXPECT_FALSE(share.Admits(64));
}

TEST(FairShareTest, ActiveTenantsPartTheTotalEqually) {
  FairShare share(64);
  share.Recompute(64, 4);
  EXPECT_EQ(share.cap(), 16);
  share.Recompute(64, 5);
  EXPECT_EQ(share.cap(), 12);
}

TEST(FairShareTest, NoCrowdPressesATenantBelowTheFloor) {
  FairShare share(64);
  share.Recompute(64, 1000);
  EXPECT_EQ(share.cap(), FairShare::kFloor);
  EXPECT_TRUE(share.Admits(1));
}

TEST(FairShareTest, NobodyActiveCountsAsOne) {
  FairShare share(64);
  share.Recompute(64, 0);
  EXPECT_EQ(share.cap(), 64);
}

}  // namespace
}  // namespace tidemark
