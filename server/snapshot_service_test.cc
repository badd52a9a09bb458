#include "server/snapshot_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/eventually.h"
#include "wal/disk/simulated_disk.h"
#include "wal/snapshot_chunks.h"
#include "wal/snapshot_reader.h"

namespace tidemark::server {
namespace {

using Answer = SnapshotService::Answer;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kShards = 2;
constexpr wal::DirectoryId kDirectory(0xd1);

// Plays the shards and the log: shards hand over all chunks when asked, or keep the target until
// the test delivers.
class SnapshotServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = wal::DataDirectory::Open(disk, "/data", kDirectory);
    ASSERT_TRUE(opened.ok()) << opened.status();
    directory = *std::move(opened);
    for (uint64_t number = 1; number <= 9; ++number) {
      disk.SetContents(directory->SegmentPath(number), "segment");
    }
    options.tick_ms = 2;
    options.schedule.every_ms = 0;
    options.schedule.first_backoff_ms = 1;
  }
  void TearDown() override { service.reset(); }

  void Start() {
    SnapshotSources sources;
    sources.shard_count = kShards;
    sources.history = HistoryId(7);
    sources.request_chunks = [this](ShardId shard, replication::ChunkTargetRef target) {
      if (hold_back) {
        const std::lock_guard lock(mutex);
        targets[shard] = std::move(target);
        return;
      }
      Deliver(shard, *target);
    };
    sources.wake_shard = [](ShardId) {};
    sources.writes = [this] { return writes.load(); };
    sources.pressure = [this] { return pressure.load(); };
    sources.current_segment = [this] { return segment.load(); };
    sources.sync_through = [this](Watermarks target, std::function<void(absl::Status)> done) {
      if (!log_answers) return;
      cut = target;
      done(absl::OkStatus());
    };
    sources.durable_cut = [this] { return cut; };
    sources.log_state = [this]() -> absl::Status {
      return log_full ? absl::ResourceExhaustedError("no space") : absl::OkStatus();
    };
    service = std::make_unique<SnapshotService>(*directory, retention, std::move(sources), options);
    service->Start();
  }
  void Deliver(ShardId shard, replication::ChunkTarget& target, size_t value_bytes = 100) {
    const wal::ChunkSource source{
        .history = HistoryId(7),
        .shard = shard,
        .shard_count = kShards,
        .watermark = {.sequence = Sequence(10u + shard.value()), .digest = 1}};
    for (const FrameRef& chunk : wal::MakeChunks(source, 7, value_bytes)) {
      target.Take(chunk, 0, chunk->last_sequence());
    }
  }
  // Those that were held back, once both shards have been asked.
  void DeliverAll() {
    for (int i = 0; i < kShards; ++i) {
      const ShardId shard(static_cast<uint16_t>(i));
      ASSERT_TRUE(Eventually([&] { return TargetOf(shard) != nullptr; }));
      Deliver(shard, *TargetOf(shard));
    }
  }
  replication::ChunkTargetRef TargetOf(ShardId shard) {
    const std::lock_guard lock(mutex);
    return targets[shard];
  }
  // Begins one and waits for how it went.
  absl::Status Take() {
    auto result = std::make_shared<std::promise<absl::Status>>();
    EXPECT_EQ(service->Begin([result](absl::Status status) { result->set_value(status); }),
              Answer::kStarted);
    auto future = result->get_future();
    if (future.wait_for(seconds(60)) != std::future_status::ready) {
      return absl::DeadlineExceededError("the test waited too long");
    }
    return future.get();
  }
  uint64_t BytesOf(uint64_t number) {
    const auto reader =
        wal::SnapshotReader::Open(disk, directory->SnapshotPath(number), {kDirectory, number});
    EXPECT_TRUE(reader.ok()) << reader.status();
    EXPECT_TRUE((*reader)->Verify().ok());
    return (*reader)->manifest().bytes();
  }
  std::string Names() {
    const std::vector<std::string> names = *disk.List("/data");
    std::string all;
    for (const std::string& name : names) all += name + " ";
    return all;
  }

  wal::SimulatedDisk disk{1};
  std::unique_ptr<wal::DataDirectory> directory;
  wal::Retention retention;
  SnapshotService::Options options;
  std::atomic<bool> hold_back{false};
  std::atomic<bool> log_answers{true};
  std::atomic<bool> log_full{false};
  std::atomic<uint64_t> writes{100};
  std::atomic<uint64_t> segment{3};
  std::atomic<Pressure> pressure{Pressure::kNormal};
  Watermarks cut;  // Only the service's thread comes here.
  std::mutex mutex;
  std::map<ShardId, replication::ChunkTargetRef> targets;  // Guarded by mutex.
  std::unique_ptr<SnapshotService> service;
};

TEST_F(SnapshotServiceTest, TakesOneWhenAsked) {
  Start();
  EXPECT_EQ(service->status().uncovered_writes, 100u);
  ASSERT_TRUE(Take().ok());
  const auto reader = wal::SnapshotReader::Open(disk, directory->SnapshotPath(1), {kDirectory, 1});
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE((*reader)->Verify().ok());
  EXPECT_EQ((*reader)->manifest().first_segment, 3u);
  EXPECT_EQ((*reader)->manifest().keys(), 14u);
  const SnapshotStatus status = service->status();
  EXPECT_FALSE(status.running);
  EXPECT_TRUE(status.last_ok);
  EXPECT_EQ(status.completed, 1u);
  EXPECT_EQ(status.last_keys, 14u);
  EXPECT_EQ(status.uncovered_writes, 0u);
}

TEST_F(SnapshotServiceTest, TakesOneBySchedule) {
  options.schedule.every_ms = 1;
  options.schedule.min_writes = 50;
  Start();
  ASSERT_TRUE(Eventually([&] { return service->status().completed == 1; }));
  writes += 49;
  EXPECT_EQ(service->status().uncovered_writes, 49u);
  writes += 1;
  EXPECT_TRUE(Eventually([&] { return service->status().completed == 2; }));
}

TEST_F(SnapshotServiceTest, CompressedFilesAreSmallerAndWhole) {
  Start();
  ASSERT_TRUE(Take().ok());
  service.reset();
  options.zstd = true;
  hold_back = true;
  Start();
  EXPECT_EQ(service->Begin(nullptr), Answer::kStarted);
  for (uint16_t i = 0; i < kShards; ++i) {
    ASSERT_TRUE(Eventually([&] { return TargetOf(ShardId(i)) != nullptr; }));
    Deliver(ShardId(i), *TargetOf(ShardId(i)), 1000);
  }
  ASSERT_TRUE(Eventually([&] { return service->status().completed == 1; }));
  EXPECT_LT(BytesOf(2), BytesOf(1));
}

TEST_F(SnapshotServiceTest, OneAtATime) {
  hold_back = true;
  Start();
  EXPECT_EQ(service->Begin(nullptr), Answer::kStarted);
  EXPECT_EQ(service->Begin(nullptr), Answer::kRunning);
  ASSERT_TRUE(Eventually([&] { return service->status().running; }));
  EXPECT_EQ(service->Begin(nullptr), Answer::kRunning);
  EXPECT_EQ(service->BeginGently(), Answer::kRunning);
  EXPECT_EQ(service->BeginAnother(), Answer::kScheduled);
  EXPECT_EQ(service->BeginAnother(), Answer::kRunning);
  DeliverAll();
  ASSERT_TRUE(Eventually([&] { return service->status().completed == 1; }));
  hold_back = false;
  DeliverAll();  // If the second asked before that.
  EXPECT_TRUE(Eventually([&] { return service->status().completed == 2; }));
}

TEST_F(SnapshotServiceTest, GentleAskersWaitForPressureToEnd) {
  pressure = Pressure::kThrottled;
  Start();
  EXPECT_EQ(service->BeginGently(), Answer::kScheduled);
  ASSERT_TRUE(Eventually([&] { return service->status().deferrals == 1; }));
  EXPECT_EQ(service->status().completed, 0u);
  pressure = Pressure::kNormal;
  EXPECT_TRUE(Eventually([&] { return service->status().completed == 1; }));
}

TEST_F(SnapshotServiceTest, AFailureLeavesNothingIsCountedAndTriedAgain) {
  Start();
  disk.FailSync(1);
  EXPECT_FALSE(Take().ok());
  EXPECT_THAT(Names(), testing::Not(HasSubstr("snapshot")));
  SnapshotStatus status = service->status();
  EXPECT_EQ(status.failed, 1u);
  EXPECT_FALSE(status.last_ok);
  EXPECT_THAT(status.last_error, testing::Not(IsEmpty()));
  EXPECT_EQ(status.uncovered_writes, 100u);
  service->SetSchedule(1'000'000, 100);
  ASSERT_TRUE(Eventually([&] { return service->status().completed == 1; }));
  EXPECT_TRUE(service->status().last_ok);
  EXPECT_THAT(service->status().last_error, IsEmpty());
}

TEST_F(SnapshotServiceTest, AFullDiskFailsItAndTheSpaceComesBack) {
  disk.set_capacity_bytes(800);
  Start();
  EXPECT_FALSE(Take().ok());
  EXPECT_THAT(Names(), testing::Not(HasSubstr("snapshot")));
  disk.set_capacity_bytes(1 << 20);
  EXPECT_TRUE(Take().ok());
}

TEST_F(SnapshotServiceTest, ALogWithoutRoomComesFirst) {
  hold_back = true;
  Start();
  auto result = std::make_shared<std::promise<absl::Status>>();
  service->Begin([result](absl::Status status) { result->set_value(status); });
  ASSERT_TRUE(Eventually([&] { return TargetOf(ShardId(1)) != nullptr; }));
  EXPECT_THAT(Names(), HasSubstr(".tmp"));
  log_full = true;
  auto future = result->get_future();
  ASSERT_EQ(future.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_TRUE(absl::IsResourceExhausted(future.get()));
  EXPECT_THAT(Names(), testing::Not(HasSubstr("snapshot")));
  EXPECT_FALSE(TargetOf(ShardId(0))->active());  // The shards let go.

  // And while the snapshot waits for the log alone.
  log_full = false;
  hold_back = false;
  log_answers = false;
  auto second = std::make_shared<std::promise<absl::Status>>();
  service->Begin([second](absl::Status status) { second->set_value(status); });
  ASSERT_TRUE(Eventually([&] { return service->status().running; }));
  log_full = true;
  auto second_future = second->get_future();
  ASSERT_EQ(second_future.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_TRUE(absl::IsResourceExhausted(second_future.get()));
}

TEST_F(SnapshotServiceTest, GivesUpWhenClientsChangeMoreThanTheQueueHolds) {
  hold_back = true;
  options.max_displaced_bytes = 10'000;
  Start();
  service->Begin(nullptr);
  ASSERT_TRUE(Eventually([&] { return TargetOf(ShardId(1)) != nullptr; }));
  const replication::ChunkTargetRef target = TargetOf(ShardId(0));
  const auto chunks = wal::MakeChunks({.history = HistoryId(7),
                                       .shard = ShardId(0),
                                       .shard_count = kShards,
                                       .watermark = {.sequence = Sequence(10), .digest = 1}},
                                      1000, 5'000);
  for (const FrameRef& chunk : chunks) target->Take(chunk, chunk->bytes().size(), Sequence(10));
  ASSERT_TRUE(Eventually([&] { return service->status().failed == 1; }));
  EXPECT_EQ(service->status().overflowed, 1u);
  EXPECT_EQ(service->queue_utilisation_percent(), 0);
  EXPECT_THAT(Names(), testing::Not(HasSubstr("snapshot")));
}

TEST_F(SnapshotServiceTest, OldSnapshotsAndSegmentsGo) {
  Start();
  for (uint64_t number = 1; number <= 3; ++number) {
    segment = 2 * number;
    ASSERT_TRUE(Take().ok());
  }
  // The pruning follows the answer.
  ASSERT_TRUE(Eventually([&] { return service->status().segments_pruned == 3; }));
  EXPECT_THAT(*directory->ListSnapshots(), ElementsAre(2, 3));
  EXPECT_EQ(directory->ListSegments()->front(), 4u);
}

TEST_F(SnapshotServiceTest, CoversAllBeforeAStopOnceAndOnlyIfThereIsNeed) {
  Start();
  const auto soon = steady_clock::now() + seconds(60);
  ASSERT_TRUE(service->CoverAll(soon).ok());
  ASSERT_TRUE(service->CoverAll(soon).ok());
  EXPECT_EQ(service->status().completed, 1u);
  ++writes;
  ASSERT_TRUE(service->CoverAll(soon).ok());
  EXPECT_EQ(service->status().completed, 2u);
}

TEST_F(SnapshotServiceTest, CoveringAllIsGivenUpAtItsDeadline) {
  hold_back = true;
  Start();
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      service->CoverAll(steady_clock::now() + std::chrono::milliseconds(1))));
  EXPECT_THAT(Names(), testing::Not(HasSubstr("snapshot")));
}

TEST_F(SnapshotServiceTest, StoppingTellsThoseWhoWait) {
  hold_back = true;
  Start();
  auto result = std::make_shared<std::promise<absl::Status>>();
  service->Begin([result](absl::Status status) { result->set_value(status); });
  ASSERT_TRUE(Eventually([&] { return TargetOf(ShardId(1)) != nullptr; }));
  service->Stop();
  auto future = result->get_future();
  ASSERT_EQ(future.wait_for(seconds(0)), std::future_status::ready);
  EXPECT_TRUE(absl::IsCancelled(future.get()));
  EXPECT_THAT(Names(), testing::Not(HasSubstr("snapshot")));
}

}  // namespace
}  // namespace tidemark::server
