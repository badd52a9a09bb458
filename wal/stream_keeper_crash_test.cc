// A process that stops at any call to its disk, in the middle of each change of its stream.

#include <gtest/gtest.h>

#include <functional>

#include "wal/dying_disk.h"
#include "wal/stream_keeper.h"
#include "wal/stream_keeper_test_util.h"

namespace tidemark::wal {
namespace {

class StreamKeeperCrashTest : public StreamKeeperFixture {
 protected:
  // Stops a replica that follows `old_` at its first call of `life`, its second, and so on until
  // `life` says that it came to its end; after each stop `restart` looks at what is left.
  void StopAtAnyCall(const std::function<bool()>& life, const std::function<void()>& restart) {
    bool done = false;
    for (uint64_t calls = 0; !done; ++calls) {
      ASSERT_LT(calls, 500u);
      SCOPED_TRACE(calls);
      disk_.RemoveTree(kDirectory).IgnoreError();
      old_ = Stream(kOld, Positions(2));
      HasOld();
      ASSERT_TRUE(keeper_->Close().ok());
      DyingDisk dying(disk_);
      Start(&dying);
      dying.DieAfter(calls);
      done = life() && !dying.dead();
      restart();
      End();  // Before the disk that it may be on.
    }
  }
};

TEST_F(StreamKeeperCrashTest, AFullSyncLeavesTheOldStateOrTheNew) {
  StopAtAnyCall(
      [&] {
        Stream next(kNew, {{Sequence(10), 1}, {Sequence(20), 2}});
        if (!keeper_->Restart(kNew, next.positions()).ok()) return false;
        keeper_->OnServed();
        Append(next.Next(0, {Put("a", "new")}));
        return PutSnapshot(next, {{"a", "new"}}, 2).ok();
      },
      [&] {
        Start();
        if (recovered_.history == kOld) {
          EXPECT_EQ(sink_.state, (KeyMap{{"a", "1"}, {"b", "2"}}));
        } else {
          EXPECT_EQ(recovered_.history, kNew);
          EXPECT_EQ(sink_.state, (KeyMap{{"a", "new"}}));
        }
      });
}

// Whoever starts next on the directory, a replica or a primary, finds all that was durable.
TEST_F(StreamKeeperCrashTest, APromotionOrADemotionKeepsWhatWasDurable) {
  for (const bool restarts_as_replica : {true, false}) {
    SCOPED_TRACE(restarts_as_replica);
    KeyMap promised;
    StopAtAnyCall(
        [&] {
          promised = {{"a", "1"}, {"b", "2"}};
          constexpr auto kMints = StreamKeeper::Minter::kThisNode;
          if (!keeper_->BeginHistory(kChild, old_.positions(), 2, kMints).ok()) return false;
          Stream own(kChild, old_.positions());
          Append(own.Next(0, {Put("own", "1")}));
          if (Sync(SequencesOf(own.positions())).ok()) promised["own"] = "1";
          if (!keeper_->BeginFollowing().ok() ||
              !keeper_->Continue(kChild, kNew, own.positions()).ok()) {
            return false;
          }
          Stream next(kNew, own.positions());
          Append(next.Next(1, {Put("next", "1")}));
          if (Sync(SequencesOf(next.positions())).ok()) promised["next"] = "1";
          return true;
        },
        [&] {
          End();
          directory_ = OpenDirectory(disk_);
          const absl::StatusOr<Recovered> recovered = TryRecover(restarts_as_replica);
          ASSERT_TRUE(recovered.ok()) << recovered.status();
          for (const auto& [key, value] : promised) EXPECT_EQ(sink_.state[key], value) << key;
          EXPECT_LE(sink_.state.size(), 4u);
        });
  }
}

}  // namespace
}  // namespace tidemark::wal
