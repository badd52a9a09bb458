// A data directory through changes of its node's role, without a link: what the link thread would
// do is done by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/eventually.h"
#include "cache/engine_test_util.h"
#include "server/durability.h"
#include "wal/disk/simulated_disk.h"
#include "wal/test_log.h"

namespace tidemark::server {
namespace {

using replication::CatchUpSource;
using replication::ReplicaClient;
using replication::StreamPlan;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using wal::Put;
using Minter = NodeDurability::Minter;

constexpr HistoryId kPrimarys{71};
constexpr HistoryId kFresh{72};

// A node of one shard.
class DurabilityRolesTest : public testing::Test {
 protected:
  DurabilityRolesTest() {
    EXPECT_TRUE(settings_.Set(Setting::kDataDir, "/data").ok());
    EXPECT_TRUE(settings_.Set(Setting::kFsync, "always").ok());
    // A simulated disk holds in memory all that is allocated.
    EXPECT_TRUE(settings_.Set(Setting::kSegmentBytes, "64kb").ok());
  }
  ~DurabilityRolesTest() override { End(); }

  // The node starts, in one role or the other.
  void Start(Minter minter) {
    End();
    cache::Engine::Options options;
    options.shard_count = 1;
    engine_ = std::make_unique<cache::Engine>(std::move(options));
    engine_->Start();
    durability_ = std::make_unique<NodeDurability>(settings_, 1, disk_, Clock::System(), minter);
    ASSERT_TRUE(durability_->Open().ok());
    const absl::Status recovered = durability_->Recover(*engine_, [] { return false; });
    ASSERT_TRUE(recovered.ok()) << recovered;
    if (minter == Minter::kPrimary) {
      history_ = durability_->recovered().start.history;
      return;
    }
    history_ = durability_->Beginnings()[0].history;
    const replication::StreamEnd end = durability_->Beginnings()[0].end;
    position_ = {.sequence = end.last, .digest = end.digest};
  }
  void End() {
    if (engine_ == nullptr) return;
    engine_->Stop();
    EXPECT_TRUE(durability_->Close().ok() || expects_failure_);
    durability_.reset();
    engine_.reset();
  }
  std::optional<std::string> Get(const std::string& key) {
    return OnShard(*engine_, ShardId(0), [&](cache::Shard& shard) -> std::optional<std::string> {
      const cache::Entry* entry = shard.keyspace().Look(cache::KeyRef::Of(key));
      if (entry == nullptr) return std::nullopt;
      return std::string(entry->value());
    });
  }

  FrameRef Frame(const std::vector<wal::TestRecord>& records) {
    FrameRef frame = wal::MakeFrame(history_, ShardId(0), 1, position_, records);
    position_ = {.sequence = frame->last_sequence(), .digest = frame->stream_digest()};
    return frame;
  }
  // As a primary's shard. True once it is durable.
  bool Write(const std::vector<wal::TestRecord>& records) {
    OnShard(*engine_, ShardId(0), [&](cache::Shard&) {
      replication::FrameLog& log = *durability_->logs()[0];
      log.Append(Frame(records));
      log.OnTurnEnd();
    });
    return Eventually([&] {
      Watermarks durable;
      durability_->ReadDurable(&durable);
      return durable[0] == position_.sequence;
    });
  }
  // As a replica's link thread. True once the log stands for the plan.
  bool Plan(CatchUpSource source, HistoryId continues) {
    FollowedStream& stream = *durability_->stream();
    stream.OnPlan({.history = history_,
                   .shards = {{.source = source, .at = {position_.sequence, position_.digest}}},
                   .continues = continues},
                  {});
    return Eventually([&] {
      stream.OnTurnEnd();
      return !stream.busy();
    });
  }
  // The link has ended where its stream is now.
  ReplicaClient::Ending EndingHere() const {
    ReplicaClient::Ending ending;
    ending.position = {.history = history_, .shards = {{position_.sequence, position_.digest}}};
    ending.tail.resize(1);
    return ending;
  }
  absl::Status TakeOver(ReplicaClient::Ending* ending) {
    const absl::Status taken = durability_->TakeOver(*engine_, kFresh, ending);
    if (taken.ok()) history_ = kFresh;
    return taken;
  }
  std::string WhyNot() const { return durability_->WhyNotTakeOver(); }

  wal::SimulatedDisk disk_{1};
  Settings settings_{NodeRole::kPrimary};
  std::unique_ptr<cache::Engine> engine_;
  std::unique_ptr<NodeDurability> durability_;
  // Of the stream that is written or followed.
  HistoryId history_;
  wal::ShardPosition position_;
  bool expects_failure_ = false;
};

TEST_F(DurabilityRolesTest, OneLogGoesThroughBothRoles) {
  Start(Minter::kThisNode);
  ASSERT_TRUE(Write({Put("own", "1")}));

  // It follows a primary that has taken over from it.
  durability_->BeginFollowing();
  durability_->LeaveOwnLog(*engine_);
  EXPECT_FALSE(durability_->started());
  EXPECT_THAT(durability_->logs(), IsEmpty());
  ASSERT_NE(durability_->stream(), nullptr);
  const HistoryId own = std::exchange(history_, kPrimarys);
  ASSERT_TRUE(Plan(CatchUpSource::kBacklog, own));
  durability_->stream()->Append(Frame({Put("followed", "2")}));
  durability_->stream()->OnTurnEnd();

  // And takes over in its turn.
  ReplicaClient::Ending ending = EndingHere();
  ASSERT_TRUE(TakeOver(&ending).ok());
  EXPECT_TRUE(durability_->started());
  EXPECT_EQ(durability_->stream(), nullptr);
  ASSERT_THAT(durability_->logs(), SizeIs(1));
  ASSERT_TRUE(Write({Put("own again", "3")}));

  Start(Minter::kThisNode);
  EXPECT_EQ(history_, kFresh);
  EXPECT_EQ(position_.sequence, Sequence(3));
  EXPECT_EQ(Get("own"), "1");
  EXPECT_EQ(Get("followed"), "2");
  EXPECT_EQ(Get("own again"), "3");
}

// The log of an earlier process holds more of a frame than the link has brought again.
TEST_F(DurabilityRolesTest, WhatWasRecoveredBeyondTheLinksEndIsPartOfTheNewHistory) {
  Start(Minter::kThisNode);
  ASSERT_TRUE(Write({Put("a", "1"), Put("b", "2"), Put("c", "3")}));
  Start(Minter::kPrimary);
  const Watermarks held = durability_->recovered().held;
  ASSERT_EQ(held, Watermarks{Sequence(3)});
  ReplicaClient::Ending ending = EndingHere();
  ending.position.shards[0] = {Sequence(1), 99};
  ending.tail[0].before = Sequence(1);
  ASSERT_TRUE(TakeOver(&ending).ok());
  EXPECT_EQ(ending.position.shards[0].sequence, Sequence(3));
  EXPECT_EQ(ending.position.shards[0].stream_digest, position_.digest);
  EXPECT_EQ(ending.tail[0].before, Sequence()) << "those frames end before the fork";
  ASSERT_TRUE(Write({Put("d", "4")}));
  Start(Minter::kThisNode);
  EXPECT_EQ(history_, kFresh);
  EXPECT_EQ(Get("c"), "3");
  EXPECT_EQ(Get("d"), "4");
}

TEST_F(DurabilityRolesTest, WhatTheLinkBroughtBeyondTheRecoveryStaysAsItIs) {
  Start(Minter::kThisNode);
  ASSERT_TRUE(Write({Put("a", "1")}));
  Start(Minter::kPrimary);
  ASSERT_TRUE(Plan(CatchUpSource::kBacklog, history_));
  durability_->stream()->Append(Frame({Put("b", "2")}));
  durability_->stream()->OnTurnEnd();
  ReplicaClient::Ending ending = EndingHere();
  ending.tail[0].before = Sequence(1);
  ASSERT_TRUE(TakeOver(&ending).ok());
  EXPECT_EQ(ending.position.shards[0].sequence, Sequence(2));
  EXPECT_EQ(ending.tail[0].before, Sequence(1));
}

TEST_F(DurabilityRolesTest, AStateThatIsNoPrimarysIsNotTakenOver) {
  Start(Minter::kThisNode);
  ASSERT_TRUE(Write({Put("a", "1")}));
  Start(Minter::kPrimary);
  ReplicaClient::Ending ending = EndingHere();
  ending.whole = false;
  EXPECT_TRUE(absl::IsFailedPrecondition(TakeOver(&ending)));
  EXPECT_FALSE(durability_->started());
  EXPECT_EQ(durability_->stream(), nullptr);
  // It remains a replica, whose log is as it was.
  durability_->Follow();
  FollowedStream* const stream = durability_->stream();
  ASSERT_NE(stream, nullptr);
  durability_->Follow();
  EXPECT_EQ(durability_->stream(), stream) << "it has one";
  ASSERT_TRUE(Plan(CatchUpSource::kBacklog, history_));
  EXPECT_EQ(stream->failure(), "");
}

TEST_F(DurabilityRolesTest, ServicesEndWithTheRoleAndTheNextOnesCountOn) {
  Start(Minter::kThisNode);
  ASSERT_TRUE(Write({Put("a", "1")}));
  Start(Minter::kPrimary);
  uint64_t applied = 0;
  const auto start = [&] {
    durability_->StartReplicaServices(*engine_, {.request_cut = [](auto queue, auto known) {},
                                                 .applied = [&] { return applied; },
                                                 .pressure = [] { return Pressure::kNormal; }});
  };
  start();
  EXPECT_NE(durability_->snapshots(), nullptr);
  const uint64_t replayed = durability_->View().writes_since_snapshot;
  durability_->StopServices(*engine_);
  EXPECT_EQ(durability_->snapshots(), nullptr);
  applied = 100;  // By somebody who counts anew.
  start();
  EXPECT_EQ(durability_->View().writes_since_snapshot, replayed);
  durability_->StopServices(*engine_);
}

// --- Why not ---

TEST_F(DurabilityRolesTest, AReplicaWhoseLogIsWholeMayTakeOver) {
  Start(Minter::kPrimary);
  EXPECT_EQ(WhyNot(), "") << "an empty one";
  history_ = kPrimarys;
  ASSERT_TRUE(Plan(CatchUpSource::kSnapshot, {}));
  EXPECT_EQ(WhyNot(), "") << "what it shows is what it had before the full sync";
}

TEST_F(DurabilityRolesTest, AFullSyncThatIsServedAndNotYetOnDiskMustBeAwaited) {
  Start(Minter::kPrimary);
  history_ = kPrimarys;
  ASSERT_TRUE(Plan(CatchUpSource::kSnapshot, {}));
  durability_->stream()->OnServed();
  EXPECT_TRUE(Eventually([&] { return !WhyNot().empty(); }));
  EXPECT_THAT(WhyNot(), StartsWith("TRYAGAIN "));
}

TEST_F(DurabilityRolesTest, AStreamThatIsNotKeptIsToldWithItsCause) {
  Start(Minter::kPrimary);
  history_ = kPrimarys;
  ASSERT_TRUE(Plan(CatchUpSource::kBacklog, HistoryId(70)));  // Of which there is nothing here.
  EXPECT_THAT(WhyNot(), StartsWith("ERR what this node holds is not all on its disk: "));
  expects_failure_ = true;
}

TEST_F(DurabilityRolesTest, ALogThatCannotBeWrittenIsToldWithItsCause) {
  Start(Minter::kThisNode);
  ASSERT_TRUE(Write({Put("a", "1")}));
  Start(Minter::kPrimary);
  ASSERT_TRUE(Plan(CatchUpSource::kBacklog, history_));
  EXPECT_EQ(WhyNot(), "");
  disk_.FailSync(1);
  durability_->stream()->Append(Frame({Put("b", "2")}));
  durability_->stream()->OnTurnEnd();
  EXPECT_TRUE(Eventually([&] { return !WhyNot().empty(); }));
  EXPECT_THAT(WhyNot(), StartsWith("ERR this node's log cannot be written now: "));
  expects_failure_ = true;
}

}  // namespace
}  // namespace tidemark::server
