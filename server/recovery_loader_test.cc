#include "server/recovery_loader.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <tuple>

#include "wal/disk/simulated_disk.h"
#include "wal/recovery_test_util.h"

namespace tidemark::server {
namespace {

using wal::KeyMap;

std::unique_ptr<cache::Engine> StartEngine(int shards) {
  cache::Engine::Options options;
  options.shard_count = shards;
  auto engine = std::make_unique<cache::Engine>(std::move(options));
  engine->Start();
  return engine;
}

// Stops the engine. Each key is on the shard that owns it.
KeyMap Contents(cache::Engine& engine) {
  engine.Stop();
  struct Visitor final : cache::WalkVisitor {
    void OnEntry(const cache::Entry& entry) override {
      contents.emplace(entry.key(), entry.value());
      EXPECT_EQ(engine->OwnerOf(entry.key(), KeyHash(entry.key())), shard);
    }
    void OnUnreadable(const cache::Entry& entry, const absl::Status& why) override {
      ADD_FAILURE() << why;
    }
    cache::Engine* engine;
    ShardId shard;
    KeyMap contents;
  } visitor;
  visitor.engine = &engine;
  for (int i = 0; i < engine.shard_count(); ++i) {
    visitor.shard = ShardId(static_cast<uint16_t>(i));
    cache::Keyspace& keyspace = engine.shard(visitor.shard).keyspace();
    EXPECT_TRUE(keyspace.IsConsistent());
    EXPECT_FALSE(keyspace.effects_only());
    keyspace.BeginWalk(&visitor);
    while (!keyspace.WalkSome(1000)) {
    }
  }
  return visitor.contents;
}

class RecoveryLoaderTest : public testing::Test {
 protected:
  absl::StatusOr<wal::Recovered> RecoverInto(cache::Engine& engine,
                                             const RecoveryLoader::Options& options) {
    directory_.reset();
    directory_ = wal::OpenDirectory(disk_);
    RecoveryLoader loader(engine, Clock::System(), options);
    auto recovered =
        wal::Recover(*directory_, wal::OptionsFor(engine.shard_count(), ++fresh_history_), loader,
                     &loader.progress());
    EXPECT_EQ(loader.progress().loaded_bytes, loader.progress().total_bytes);
    return recovered;
  }
  // Random frames, some of them whole flushes of a shard.
  void Write(wal::TestLog& log, int frames) {
    for (int i = 0; i < frames; ++i) {
      const int shard = static_cast<int>(random_() % static_cast<unsigned>(log.shard_count()));
      std::vector<wal::TestRecord> records;
      if (random_() % 200 == 0) records.push_back(wal::FlushShard());
      while (records.size() < 20) {
        const std::string key = "k" + std::to_string(random_() % 3000);
        if (ShardOf(key, KeyHash(key), log.shard_count()).value() != shard) continue;
        records.push_back(random_() % 5 == 0 ? wal::Erase(key)
                                             : wal::Put(key, std::string(random_() % 200, 'v')));
      }
      log.Write(shard, records);
      if (i % 100 == 99) log.Roll();
    }
    log.Sync();
    ASSERT_TRUE(log.status().ok()) << log.status();
  }

  wal::SimulatedDisk disk_{1};
  std::unique_ptr<wal::DataDirectory> directory_;
  std::mt19937_64 random_{1};
  uint64_t fresh_history_ = 100;
};

struct Case {
  int written_with;
  int then_with;
  int loaded_with;
  bool snapshot;
};

class RecoveryLoaderShardsTest : public RecoveryLoaderTest,
                                 public testing::WithParamInterface<Case> {};

TEST_P(RecoveryLoaderShardsTest, EveryShardGetsItsKeysAndNoOthers) {
  KeyMap state;
  for (const int shards : {GetParam().written_with, GetParam().then_with}) {
    const auto engine = StartEngine(shards);
    const auto recovered = RecoverInto(*engine, {});
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    ASSERT_EQ(Contents(*engine), state);
    wal::TestLog log(*directory_, recovered->history, recovered->positions, recovered->next_segment,
                     state);
    Write(log, 250);
    if (GetParam().snapshot) {
      wal::WriteSnapshot(*directory_, log, recovered->next_segment, log.positions(),
                         wal::SequencesOf(log.positions()));
      Write(log, 50);
    }
    state = log.StateAt(wal::SequencesOf(log.positions()));
    disk_.Crash();
  }
  const auto engine = StartEngine(GetParam().loaded_with);
  const auto recovered = RecoverInto(*engine, {.max_bytes_in_flight = 1, .snapshot_readers = 3});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->snapshot != 0, GetParam().snapshot);
  EXPECT_EQ(Contents(*engine), state);
}

INSTANTIATE_TEST_SUITE_P(Shards, RecoveryLoaderShardsTest,
                         testing::Values(Case{1, 1, 1, false}, Case{2, 2, 2, false},
                                         Case{2, 3, 1, false}, Case{3, 1, 2, false},
                                         Case{1, 1, 1, true}, Case{3, 3, 3, true},
                                         Case{3, 3, 2, true}, Case{1, 2, 3, true}));

TEST_F(RecoveryLoaderTest, WhatADamagedSnapshotLeftIsGone) {
  KeyMap state;
  {
    const auto engine = StartEngine(2);
    const auto recovered = RecoverInto(*engine, {});
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    wal::TestLog log(*directory_, recovered->history, recovered->positions,
                     recovered->next_segment);
    Write(log, 50);
    wal::WriteSnapshot(*directory_, log, 1, log.positions(), wal::SequencesOf(log.positions()));
    log.Write(0, {wal::FlushShard()});
    log.Sync();
    state = log.StateAt(wal::SequencesOf(log.positions()));
    disk_.FlipBit(directory_->SnapshotPath(1) + "/shard-0001", 100, 1);
    disk_.Crash();
  }
  const auto engine = StartEngine(2);
  const auto recovered = RecoverInto(*engine, {});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->snapshots_passed_over, 1u);
  EXPECT_EQ(Contents(*engine), state);
}

}  // namespace
}  // namespace tidemark::server
