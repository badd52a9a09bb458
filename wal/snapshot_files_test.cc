// SnapshotWriter and SnapshotReader: what one writes the other gives back, and nothing else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "wal/data_directory.h"
#include "wal/disk/simulated_disk.h"
#include "wal/snapshot_chunks.h"
#include "wal/snapshot_reader.h"
#include "wal/snapshot_writer.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr DirectoryId kDirectory(0xd1);

class SnapshotFilesTest : public testing::Test {
 protected:
  static constexpr uint16_t kShards = 3;

  void SetUp() override {
    auto opened = DataDirectory::Open(disk, "/data", kDirectory);
    ASSERT_TRUE(opened.ok()) << opened.status();
    directory = *std::move(opened);
  }

  ChunkSource SourceOf(uint16_t shard) const {
    return {.history = HistoryId(7),
            .shard = ShardId(shard),
            .shard_count = kShards,
            .watermark = {.sequence = Sequence(100u + shard), .digest = 0xd0u + shard}};
  }
  std::unique_ptr<SnapshotWriter> Begin(uint64_t number = 1, SnapshotWriter::Options options = {}) {
    auto writer = SnapshotWriter::Create(*directory,
                                         {.number = number,
                                          .history = HistoryId(7),
                                          .shard_count = kShards,
                                          .first_segment = 4,
                                          .begun_at_ms = 1000},
                                         std::move(options));
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  // Shard 1 is empty; the other two have 5 and 3 keys.
  void AddAll(SnapshotWriter& writer, size_t value_bytes = 20) {
    const int keys[kShards] = {5, 0, 3};
    for (uint16_t shard = 0; shard < kShards; ++shard) {
      for (const FrameRef& chunk : MakeChunks(SourceOf(shard), keys[shard], value_bytes)) {
        ASSERT_TRUE(writer.Add(*chunk, chunk->last_sequence()).ok());
      }
    }
  }
  absl::Status Finish(SnapshotWriter& writer) {
    if (const absl::Status status = writer.SyncFiles(); !status.ok()) return status;
    return writer.Finish({Sequence(110), Sequence(111), Sequence(112)}, 2000);
  }
  void Write(uint64_t number) {
    const auto writer = Begin(number);
    AddAll(*writer);
    ASSERT_TRUE(Finish(*writer).ok());
  }
  absl::StatusOr<std::unique_ptr<SnapshotReader>> Open(uint64_t number = 1) {
    return SnapshotReader::Open(disk, directory->SnapshotPath(number), {kDirectory, number});
  }
  // Whether opening or reading finds the damage, and how.
  absl::Status Check(uint64_t number = 1) {
    const auto reader = Open(number);
    return reader.ok() ? (*reader)->Verify() : reader.status();
  }
  std::string FileOf(uint16_t shard) {
    return directory->SnapshotPath(1) + "/" + SnapshotShardName(ShardId(shard));
  }
  std::string Contents(const std::string& path) { return *disk.Contents(path); }
  std::vector<std::string> Names() { return *disk.List("/data"); }

  SimulatedDisk disk{1};
  std::unique_ptr<DataDirectory> directory;
};

TEST_F(SnapshotFilesTest, ComeBackShardByShard) {
  const auto writer = Begin();
  AddAll(*writer);
  EXPECT_TRUE(writer->complete());
  ASSERT_TRUE(Finish(*writer).ok());
  EXPECT_THAT(*directory->ListSnapshots(), ElementsAre(1));

  const auto reader = Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  const SnapshotManifest& manifest = (*reader)->manifest();
  EXPECT_EQ(manifest, writer->manifest());
  EXPECT_EQ(manifest.first_segment, 4u);
  EXPECT_EQ(manifest.keys(), 8u);
  EXPECT_EQ(manifest.bytes(), writer->bytes());
  EXPECT_EQ(manifest.complete_at()[2], Sequence(112));
  EXPECT_EQ(manifest.shards[1].chunks, 1u);

  // Several at once, in turns.
  std::vector<std::unique_ptr<SnapshotShardReader>> shards;
  for (uint16_t i = 0; i < kShards; ++i) shards.push_back(*(*reader)->OpenShard(ShardId(i)));
  std::map<uint16_t, uint64_t> keys;
  for (bool any = true; any;) {
    any = false;
    for (const auto& shard : shards) {
      const auto chunk = shard->Next();
      ASSERT_TRUE(chunk.ok()) << chunk.status();
      if (*chunk == nullptr) continue;
      any = true;
      keys[(*chunk)->shard().value()] += (*chunk)->record_count();
    }
  }
  EXPECT_THAT(keys, ElementsAre(testing::Pair(0, 5), testing::Pair(1, 0), testing::Pair(2, 3)));
}

TEST_F(SnapshotFilesTest, ValuesLargerThanABlockComeBack) {
  const auto writer = Begin();
  AddAll(*writer, 3'000'000);
  ASSERT_TRUE(Finish(*writer).ok());
  EXPECT_TRUE(Check().ok()) << Check();
}

TEST_F(SnapshotFilesTest, AreNotThereUntilTheyAreFinished) {
  {
    const auto writer = Begin();
    AddAll(*writer);
    ASSERT_TRUE(writer->SyncFiles().ok());
    EXPECT_THAT(*directory->ListSnapshots(), IsEmpty());
    EXPECT_THAT(Names(), testing::Contains(HasSubstr(".tmp")));
  }
  EXPECT_THAT(Names(), testing::Not(testing::Contains(HasSubstr("snapshot"))));
}

TEST_F(SnapshotFilesTest, NumberIsTakenOnce) {
  Write(1);
  const auto again = SnapshotWriter::Create(*directory,
                                            {.number = 1,
                                             .history = HistoryId(7),
                                             .shard_count = 1,
                                             .first_segment = 1,
                                             .begun_at_ms = 0},
                                            {});
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Check().ok());
}

TEST_F(SnapshotFilesTest, AreSyncedAsTheyGrow) {
  const auto writer = Begin(1, {.sync_every_bytes = 10'000, .compress = nullptr});
  const uint64_t before = disk.counts().syncs;
  AddAll(*writer, 6'000);  // 8 values: four times 10,000 and more, on two files.
  EXPECT_GE(disk.counts().syncs - before, 3u);
}

TEST_F(SnapshotFilesTest, AFullDiskFailsTheSnapshotAndGetsItsSpaceBack) {
  disk.set_capacity_bytes(20'000);
  {
    const auto writer = Begin();
    absl::Status status;
    for (const FrameRef& chunk : MakeChunks(SourceOf(0), 10, 5'000)) {
      if (status = writer->Add(*chunk, chunk->last_sequence()); !status.ok()) break;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
  Write(1);
  EXPECT_TRUE(Check().ok());
}

TEST_F(SnapshotFilesTest, AFailedWriteOrSyncFailsTheSnapshot) {
  for (uint64_t nth = 1; nth <= 12; ++nth) {
    for (const bool write : {true, false}) {
      SCOPED_TRACE(nth);
      write ? disk.FailWrite(nth) : disk.FailSync(nth);
      const uint64_t number = directory->ListSnapshots()->size() + 1;
      absl::Status status;
      {
        const auto writer = Begin(number);
        const int keys[kShards] = {5, 0, 3};
        for (uint16_t shard = 0; shard < kShards; ++shard) {
          for (const FrameRef& chunk : MakeChunks(SourceOf(shard), keys[shard])) {
            if (status.ok()) status = writer->Add(*chunk, chunk->last_sequence());
          }
        }
        if (status.ok()) status = Finish(*writer);
      }
      // Until it runs out of writes to fail.
      if (status.ok()) {
        EXPECT_TRUE(Check(number).ok());
        EXPECT_GT(nth, 4u);
      }
      EXPECT_THAT(Names(), testing::Not(testing::Contains(HasSubstr(".tmp"))));
      disk.FailWrite(0);
      disk.FailSync(0);
    }
  }
}

// --- Damage ---

TEST_F(SnapshotFilesTest, AnyFlippedBitOfAFileIsDamage) {
  Write(1);
  for (uint16_t shard = 0; shard < kShards; ++shard) {
    const std::string good = Contents(FileOf(shard));
    for (size_t at = 0; at < good.size(); ++at) {
      disk.FlipBit(FileOf(shard), at, static_cast<int>(at % 8));
      const absl::Status status = Check();
      EXPECT_FALSE(status.ok()) << "shard " << shard << " byte " << at;
      EXPECT_THAT(std::string(status.message()), HasSubstr(SnapshotShardName(ShardId(shard))));
      disk.SetContents(FileOf(shard), good);
    }
  }
  EXPECT_TRUE(Check().ok());
}

TEST_F(SnapshotFilesTest, AFileOfAnyOtherLengthIsDamage) {
  Write(1);
  const std::string good = Contents(FileOf(0));
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    disk.SetContents(FileOf(0), good.substr(0, bytes));
    EXPECT_TRUE(absl::IsDataLoss(Check())) << bytes;
  }
  disk.SetContents(FileOf(0), good + '\0');
  EXPECT_TRUE(absl::IsDataLoss(Check()));
}

TEST_F(SnapshotFilesTest, AMissingFileOrManifestIsDamage) {
  for (const std::string name : {"MANIFEST", "shard-0000", "shard-0002"}) {
    const uint64_t number = directory->ListSnapshots()->size() + 1;
    Write(number);
    ASSERT_TRUE(disk.Remove(directory->SnapshotPath(number) + "/" + name).ok());
    EXPECT_TRUE(absl::IsDataLoss(Check(number))) << Check(number);
  }
}

TEST_F(SnapshotFilesTest, OfAnotherDirectoryOrUnderAnothersNameIsRefused) {
  Write(1);
  const std::string path = directory->SnapshotPath(1);
  EXPECT_TRUE(absl::IsDataLoss(SnapshotReader::Open(disk, path, {DirectoryId(2), 1}).status()));
  EXPECT_TRUE(absl::IsDataLoss(SnapshotReader::Open(disk, path, {kDirectory, 2}).status()));
}

// Files that are sound in themselves and do not belong: the manifest's length and checksum are
// made to agree, so that only the chunks can tell.
class WrongChunksTest : public SnapshotFilesTest {
 protected:
  absl::Status CheckWith(const std::vector<FrameRef>& chunks) {
    std::string file;
    uint64_t keys = 0;
    for (const FrameRef& chunk : chunks) {
      file += chunk->bytes();
      keys += chunk->record_count();
    }
    SnapshotManifest manifest = (*Open())->manifest();
    manifest.shards[0].file_bytes = file.size();
    manifest.shards[0].file_crc32c = Crc32c(file);
    manifest.shards[0].chunks = chunks.size();
    manifest.shards[0].keys = keys;
    disk.SetContents(FileOf(0), file);
    disk.SetContents(directory->SnapshotPath(1) + "/MANIFEST", EncodeSnapshotManifest(manifest));
    return Check();
  }
};

TEST_F(WrongChunksTest, AreDamage) {
  Write(1);
  const std::vector<FrameRef> good = MakeChunks(SourceOf(0), 5);
  ASSERT_EQ(good.size(), 3u);
  EXPECT_TRUE(CheckWith(good).ok());
  EXPECT_THAT(std::string(CheckWith({good[1], good[2]}).message()), HasSubstr("first chunk"));
  EXPECT_THAT(std::string(CheckWith({good[0], good[1]}).message()), HasSubstr("last chunk"));
  EXPECT_THAT(std::string(CheckWith({good[0], good[0], good[2]}).message()), HasSubstr("repeated"));
  EXPECT_THAT(std::string(CheckWith({good[0], good[2], good[2]}).message()),
              HasSubstr("follows the last"));
  ChunkSource other = SourceOf(0);
  other.history = HistoryId(8);
  EXPECT_THAT(std::string(CheckWith(MakeChunks(other, 5)).message()), HasSubstr("history"));
  EXPECT_THAT(std::string(CheckWith(MakeChunks(SourceOf(2), 5)).message()), HasSubstr("shard 2"));
  other = SourceOf(0);
  other.watermark.sequence = Sequence(99);
  EXPECT_THAT(std::string(CheckWith(MakeChunks(other, 5)).message()), HasSubstr("watermark"));
  other = SourceOf(0);
  other.watermark.digest = 1;
  EXPECT_THAT(std::string(CheckWith(MakeChunks(other, 5)).message()), HasSubstr("watermark"));
  EXPECT_TRUE(CheckWith(good).ok());
}

TEST_F(SnapshotFilesTest, ChunksThatChangedPlacesAreDamage) {
  const auto writer = Begin();
  const int keys[kShards] = {9, 0, 0};
  std::string swapped;
  for (uint16_t shard = 0; shard < kShards; ++shard) {
    const std::vector<FrameRef> chunks = MakeChunks(SourceOf(shard), keys[shard]);
    for (const FrameRef& chunk : chunks) {
      ASSERT_TRUE(writer->Add(*chunk, chunk->last_sequence()).ok());
    }
    if (shard > 0) continue;
    for (const size_t i : {0, 2, 1, 3, 4}) swapped += chunks[i]->bytes();
  }
  ASSERT_TRUE(Finish(*writer).ok());
  ASSERT_TRUE(Check().ok());
  // Each is sound, and they are as many: only the file's checksum knows.
  disk.SetContents(FileOf(0), swapped);
  EXPECT_THAT(std::string(Check().message()), HasSubstr("checksum"));
}

TEST_F(SnapshotFilesTest, ErrorsRepeat) {
  Write(1);
  disk.FlipBit(FileOf(0), 100, 0);
  const auto reader = *(*Open())->OpenShard(ShardId(0));
  const absl::Status first = reader->Next().status();
  EXPECT_FALSE(first.ok());
  EXPECT_EQ(reader->Next().status(), first);
}

}  // namespace
}  // namespace tidemark::wal
