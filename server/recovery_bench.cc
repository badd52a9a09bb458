// How fast does a node come back? Unit: keys per second of keys of 16 bytes with values of 64, from
// the call of Recover() until every shard has applied everything. tools/bench/recovery runs it, a
// process for each step, since memory that a process has used before is warm.
//
//   recovery_bench log DIR KEYS SHARDS       Makes a data directory with a log of so many SETs.
//   recovery_bench snapshot DIR SHARDS       Recovers it and takes a snapshot.
//   recovery_bench load DIR SHARDS           Recovers it, and says how long that took.

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/key_hash.h"
#include "cache/engine.h"
#include "replication/snapshot_encoder.h"
#include "server/recovery_loader.h"
#include "wal/data_directory.h"
#include "wal/disk/posix_disk.h"
#include "wal/format/segment.h"
#include "wal/recovery.h"
#include "wal/snapshot_writer.h"

namespace tidemark::server {
namespace {

constexpr uint64_t kSegmentBytes = 64 << 20;
constexpr size_t kFrameBytes = 16 << 10;
constexpr size_t kChunkBytes = 64 << 10;

ShardId Shard(size_t shard) { return ShardId(static_cast<uint16_t>(shard)); }

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) fmt::print(stderr, "{}\n", std::string(value.status().message()));
  CHECK(value.ok());
  return *std::move(value);
}
void Must(const absl::Status& status) {
  if (!status.ok()) fmt::print(stderr, "{}\n", std::string(status.message()));
  CHECK(status.ok());
}

// Segments as a log's thread leaves them.
class LogMaker {
 public:
  LogMaker(wal::DataDirectory& directory, HistoryId history, wal::Positions begin, uint64_t segment)
      : directory_(directory), history_(history), positions_(std::move(begin)), segment_(segment) {
    Begin();
  }

  void Write(ShardId shard, OpenFrame& open, uint32_t records) {
    wal::ShardPosition& at = positions_[shard.value()];
    const FrameRef frame = open.Seal({.kind = FrameKind::kMutations,
                                      .flags = 0,
                                      .history = history_,
                                      .shard = shard,
                                      .shard_count = static_cast<uint16_t>(positions_.size()),
                                      .record_count = records,
                                      .first_sequence = Next(at.sequence),
                                      .last_sequence = Sequence(at.sequence.value() + records),
                                      .stream_digest = StreamDigest(at.digest, open.payload()),
                                      .sealed_at_ms = 0,
                                      .raw_bytes = 0,
                                      .stored_bytes = 0});
    at = {frame->last_sequence(), frame->stream_digest()};
    bytes_ += frame->bytes();
    ++frames_;
    if (bytes_.size() < kSegmentBytes) return;
    Seal();
    ++segment_;
    Begin();
  }
  void Seal() {
    bytes_ += wal::EncodeFooter(
        {.directory = directory_.id(), .number = segment_, .offset = bytes_.size()},
        {.synced_to = 0, .written_at_ms = 0, .frames = frames_, .after = positions_});
    auto file = Must(
        directory_.disk().OpenFile(directory_.SegmentPath(segment_), wal::Disk::Open::kCreate));
    Must(file->WriteAt(0, bytes_));
    Must(file->Sync());
  }

 private:
  void Begin() {
    bytes_ = wal::EncodeSegmentHeader({.directory = directory_.id(),
                                       .number = segment_,
                                       .created_at_ms = 0,
                                       .history = history_,
                                       .before = positions_});
    frames_ = 0;
  }

  wal::DataDirectory& directory_;
  const HistoryId history_;
  wal::Positions positions_;
  uint64_t segment_;
  std::string bytes_;
  uint64_t frames_ = 0;
};

// A directory and the engine that it is recovered into.
struct Node {
  Node(const std::string& path, int shards) {
    directory = Must(wal::DataDirectory::Open(disk, path, wal::DirectoryId(random() | 1)));
    cache::Engine::Options options;
    options.shard_count = shards;
    engine = std::make_unique<cache::Engine>(std::move(options));
    engine->Start();
  }
  wal::Recovered Recover() {
    RecoveryLoader loader(*engine, Clock::System());
    return Must(wal::Recover(*directory,
                             {.shard_count = engine->shard_count(),
                              .now_ms = Clock::System().UnixMillis(),
                              .fresh_history = HistoryId(random() | 1),
                              .max_window_bytes = 64 << 20},
                             loader, &loader.progress()));
  }

  std::random_device device;
  std::mt19937_64 random{device()};
  wal::PosixDisk disk;
  std::unique_ptr<wal::DataDirectory> directory;
  std::unique_ptr<cache::Engine> engine;
};

void MakeLog(const std::string& path, int keys, int shards) {
  Node node(path, shards);
  const wal::Recovered begin = node.Recover();
  LogMaker log(*node.directory, begin.history, begin.positions, begin.next_segment);
  struct Open {
    OpenFrame frame;
    uint32_t records = 0;
  };
  std::vector<Open> open(static_cast<size_t>(shards));
  const std::string value(64, 'v');
  for (int n = 0; n < keys; ++n) {
    const std::string key = fmt::format("key:{:012}", n);
    const ShardId shard = ShardOf(key, KeyHash(key), shards);
    Open& frame = open[shard.value()];
    frame.frame.Commit(
        EncodeSet(frame.frame.Reserve(RecordBytesBound(key.size(), value.size())), key, value, 0));
    ++frame.records;
    if (frame.frame.payload_bytes() < kFrameBytes) continue;
    log.Write(shard, frame.frame, std::exchange(frame.records, 0));
  }
  for (size_t shard = 0; shard < open.size(); ++shard) {
    if (open[shard].records > 0) log.Write(Shard(shard), open[shard].frame, open[shard].records);
  }
  log.Seal();
}

// Chunks of one shard, in the order of its walk.
class ChunkMaker final : public cache::WalkVisitor {
 public:
  ChunkMaker(const replication::SnapshotOrigin& origin, wal::SnapshotWriter& writer)
      : encoder_(origin), writer_(writer) {}

  void OnEntry(const cache::Entry& entry) override {
    encoder_.Add(entry.key(), entry.value(), entry.expiry());
    if (encoder_.open_bytes() >= kChunkBytes) Take(replication::SnapshotEncoder::Place::kMore);
  }
  void OnUnreadable(const cache::Entry& entry, const absl::Status& why) override { Must(why); }
  void Take(replication::SnapshotEncoder::Place place) {
    Must(writer_.Add(*encoder_.TakeChunk(place, 0), encoder_.origin().watermark));
  }

 private:
  replication::SnapshotEncoder encoder_;
  wal::SnapshotWriter& writer_;
};

void MakeSnapshot(const std::string& path, int shards) {
  Node node(path, shards);
  const wal::Recovered begin = node.Recover();
  node.engine->Stop();
  LogMaker(*node.directory, begin.history, begin.positions, begin.next_segment).Seal();
  auto writer = Must(wal::SnapshotWriter::Create(*node.directory,
                                                 {.number = begin.next_segment,
                                                  .history = begin.history,
                                                  .shard_count = shards,
                                                  .first_segment = begin.next_segment,
                                                  .begun_at_ms = 0},
                                                 {.sync_every_bytes = 8 << 20, .compress = {}}));
  for (size_t shard = 0; shard < begin.positions.size(); ++shard) {
    ChunkMaker maker({.history = begin.history,
                      .shard = Shard(shard),
                      .shard_count = static_cast<uint16_t>(shards),
                      .watermark = begin.positions[shard].sequence,
                      .digest = begin.positions[shard].digest},
                     *writer);
    cache::Keyspace& keyspace = node.engine->shard(Shard(shard)).keyspace();
    keyspace.BeginWalk(&maker);
    while (!keyspace.WalkSome(1000)) {
    }
    maker.Take(replication::SnapshotEncoder::Place::kLast);
  }
  Must(writer->SyncFiles());
  Must(writer->Finish(wal::SequencesOf(begin.positions), 0));
}

void Load(const std::string& path, int shards) {
  Node node(path, shards);
  const auto begin = std::chrono::steady_clock::now();
  const wal::Recovered recovered = node.Recover();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  node.engine->Stop();
  size_t keys = 0;
  for (int shard = 0; shard < shards; ++shard) {
    keys += node.engine->shard(Shard(static_cast<size_t>(shard))).keyspace().size();
  }
  fmt::print("{} shards, {} keys from {} in {:.3f} s: {:.0f} keys/s\n", shards, keys,
             recovered.snapshot != 0 ? "a snapshot" : "the log", took.count(),
             static_cast<double>(keys) / took.count());
}

int Number(const char* text) {
  int number = 0;
  std::from_chars(text, text + std::string_view(text).size(), number);
  CHECK(number > 0);
  return number;
}

}  // namespace
}  // namespace tidemark::server

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "log" && argc == 5) {
    tidemark::server::MakeLog(argv[2], tidemark::server::Number(argv[3]),
                              tidemark::server::Number(argv[4]));
  } else if (what == "snapshot" && argc == 4) {
    tidemark::server::MakeSnapshot(argv[2], tidemark::server::Number(argv[3]));
  } else if (what == "load" && argc == 4) {
    tidemark::server::Load(argv[2], tidemark::server::Number(argv[3]));
  } else {
    std::fputs(
        "usage: recovery_bench log DIR KEYS SHARDS | snapshot DIR SHARDS | load DIR SHARDS\n",
        stderr);
    return 64;
  }
  return 0;
}
