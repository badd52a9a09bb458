#include "base/ids.h"

#include <absl/container/flat_hash_set.h>
#include <gtest/gtest.h>

#include <concepts>
#include <type_traits>

namespace tidemark {
namespace {

// What the types are for: a number, or an id of another kind, does not slip in unseen.
static_assert(!std::is_convertible_v<uint64_t, Sequence>);
static_assert(!std::is_convertible_v<Sequence, uint64_t>);
static_assert(!std::is_convertible_v<Sequence, HistoryId>);
static_assert(!std::equality_comparable_with<Sequence, HistoryId>);

// They cost what the number costs.
static_assert(sizeof(Sequence) == 8 && std::is_trivially_copyable_v<Sequence>);
static_assert(sizeof(ShardId) == 2);

TEST(StrongIdTest, BeginsAtZeroAndOrdersAsItsNumber) {
  EXPECT_EQ(Sequence().value(), 0u);
  EXPECT_LT(Sequence(1), Sequence(2));
  EXPECT_EQ(Next(Sequence(1)), Sequence(2));
  EXPECT_NE(ShardId(0), ShardId(1));
}

TEST(StrongIdTest, IsAKeyOfHashTables) {
  absl::flat_hash_set<ShardId> shards = {ShardId(1), ShardId(2), ShardId(1)};
  EXPECT_EQ(shards.size(), 2u);
  EXPECT_TRUE(shards.contains(ShardId(2)));
}

}  // namespace
}  // namespace tidemark
