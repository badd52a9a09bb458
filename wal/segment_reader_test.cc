#include "wal/segment_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "base/format/open_frame.h"
#include "wal/disk/simulated_disk.h"
#include "wal/segment_builder.h"

namespace tidemark::wal {
namespace {

using testing::HasSubstr;

constexpr DirectoryId kDirectory(0xd1d1d1d1);
constexpr char kPath[] = "/wal.seg";

SegmentHeader Header(size_t shards = 2) {
  Positions before(shards);
  before[0] = {.sequence = Sequence(100), .digest = 77};
  return {.directory = kDirectory,
          .number = 5,
          .created_at_ms = 1,
          .history = HistoryId(9),
          .before = before};
}

struct Result {
  absl::Status status;
  std::vector<FrameRef> frames;
  bool header = false;
  bool sealed = false;
  uint64_t end_bytes = 0;
  uint64_t torn_bytes = 0;
  Positions positions;

  std::string words() const { return std::string(status.message()); }
};

Result Read(std::string_view bytes, SegmentTail tail) {
  SimulatedDisk disk(1);
  disk.SetContents(kPath, bytes);
  Result result;
  auto reader =
      SegmentReader::Open(disk, kPath, {.directory = kDirectory, .number = 5, .tail = tail});
  result.status = reader.status();
  if (!reader.ok()) return result;
  while (true) {
    auto item = (*reader)->Next();
    result.status = item.status();
    if (!item.ok()) {
      EXPECT_EQ((*reader)->Next().status(), item.status());
      break;
    }
    if (!item->has_value()) break;
    EXPECT_EQ(bytes.substr((*item)->offset, 4), "TDMF");
    result.frames.push_back((*item)->frame);
  }
  result.header = (*reader)->header() != nullptr;
  result.sealed = (*reader)->sealed();
  result.end_bytes = (*reader)->end_bytes();
  result.torn_bytes = (*reader)->torn_bytes();
  result.positions = (*reader)->positions();
  return result;
}

// Synced: header, first group, second group; a third group after the last mark was not known to be.
SegmentBuilder ThreeGroups() {
  SegmentBuilder segment(Header());
  for (uint32_t group = 0; group < 3; ++group) {
    segment.AddMark(segment.bytes().size());
    segment.AddSets(ShardId(0), 2);
    segment.AddSets(ShardId(1), 1 + group);
  }
  return segment;
}

TEST(SegmentReaderTest, ReturnsEveryFrameAsItWasWritten) {
  SegmentBuilder segment(Header());
  std::vector<FrameRef> frames;
  segment.AddMark(segment.bytes().size());
  for (int i = 0; i < 50; ++i) frames.push_back(segment.AddSets(ShardId(i % 2), 1 + i));
  segment.AddFooter();
  const Result read = Read(segment.bytes(), SegmentTail::kSealed);
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.frames.size(), frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(read.frames[i]->bytes(), frames[i]->bytes());
  }
  EXPECT_TRUE(read.sealed);
  EXPECT_EQ(read.end_bytes, segment.bytes().size());
  EXPECT_EQ(read.positions, segment.positions());
}

TEST(SegmentReaderTest, FramesOfAnySizeCrossTheReadsBoundaries) {
  SegmentBuilder segment(Header());
  std::vector<FrameRef> frames;
  for (const size_t key_bytes :
       {size_t{1}, size_t{60'000}, size_t{70'000}, SegmentReader::kReadBytes - 50,
        3 * SegmentReader::kReadBytes, size_t{1}, size_t{40'000}, size_t{65'400}}) {
    for (int i = 0; i < 30 && key_bytes < 100'000; ++i) {
      frames.push_back(segment.AddSets(ShardId(0), 1, key_bytes + i));
    }
    frames.push_back(segment.AddSets(ShardId(1), 1, key_bytes));
  }
  segment.AddFooter();
  const Result read = Read(segment.bytes(), SegmentTail::kSealed);
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.frames.size(), frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_TRUE(read.frames[i]->bytes() == frames[i]->bytes()) << i;
  }
}

TEST(SegmentReaderTest, CompressedFramesComeOutAsTheyWereBefore) {
  SegmentBuilder segment(Header());
  const FrameRef raw = SegmentBuilder(segment).AddSets(ShardId(0), 500);
  OpenFrame open;
  char* p = open.Reserve(ZSTD_compressBound(raw->payload().size()));
  open.Commit(p + ZSTD_compress(p, ZSTD_compressBound(raw->payload().size()), raw->payload().data(),
                                raw->payload().size(), 1));
  FrameHeader header;
  ASSERT_TRUE(DecodeFrameHeader(raw->bytes(), kMaxFrameBytes, &header).ok());
  header.flags = kFrameZstd;
  const FrameRef twin = open.Seal(header);
  ASSERT_LT(twin->bytes().size(), raw->bytes().size());
  segment.AddBytes(twin->bytes());
  const Result read = Read(segment.bytes(), SegmentTail::kMayBeTorn);
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.frames.size(), 1u);
  EXPECT_EQ(read.frames[0]->bytes(), raw->bytes());
}

TEST(SegmentReaderTest, UnsealedEndOfTheNewestIsCleanAndOfAnotherDamage) {
  const std::string bytes = ThreeGroups().bytes() + std::string(5000, '\0');
  const Result newest = Read(bytes, SegmentTail::kMayBeTorn);
  ASSERT_TRUE(newest.status.ok()) << newest.status;
  EXPECT_EQ(newest.frames.size(), 6u);
  EXPECT_FALSE(newest.sealed);
  EXPECT_EQ(newest.end_bytes, ThreeGroups().bytes().size());
  EXPECT_EQ(newest.torn_bytes, 0u);
  const Result middle = Read(bytes, SegmentTail::kSealed);
  EXPECT_TRUE(absl::IsDataLoss(middle.status));
  EXPECT_THAT(middle.words(), HasSubstr("/wal.seg: byte " + std::to_string(newest.end_bytes)));
}

TEST(SegmentReaderTest, TornLastFrameIsCutAtEveryByte) {
  const SegmentBuilder segment = ThreeGroups();
  const uint64_t last = segment.offsets().back();
  for (uint64_t cut = last; cut < segment.bytes().size(); ++cut) {
    SCOPED_TRACE(cut);
    const std::string whole = segment.bytes().substr(0, cut);
    for (const std::string& bytes : {whole, whole + std::string(100, '\0')}) {
      const Result read = Read(bytes, SegmentTail::kMayBeTorn);
      ASSERT_TRUE(read.status.ok()) << read.status;
      EXPECT_EQ(read.frames.size(), 5u);
      EXPECT_EQ(read.end_bytes, last);
      EXPECT_EQ(read.torn_bytes, whole.find_last_not_of('\0') + 1 - last);
      EXPECT_TRUE(absl::IsDataLoss(Read(bytes, SegmentTail::kSealed).status));
    }
  }
}

TEST(SegmentReaderTest, HoleInWhatWasNotKnownToBeSyncedIsATear) {
  const SegmentBuilder segment = ThreeGroups();
  // From the last mark on; a sector of zeros where the last but one frame was.
  for (uint64_t at = segment.offsets()[6]; at < segment.bytes().size(); ++at) {
    std::string bytes = segment.bytes();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const Result read = Read(bytes, SegmentTail::kMayBeTorn);
    ASSERT_TRUE(read.status.ok()) << at << read.status;
    EXPECT_LE(read.end_bytes, at);
    EXPECT_EQ(read.frames.size(), at < segment.offsets()[8] ? 4u : 5u);
  }
}

TEST(SegmentReaderTest, FlippedBitInWhatAMarkCallsSyncedIsDamage) {
  const SegmentBuilder segment = ThreeGroups();
  // Each byte before the last mark, which vouches for it; the very last group is another matter.
  for (uint64_t at = 0; at < segment.offsets()[6]; ++at) {
    for (const int bit : {0, 7}) {
      std::string bytes = segment.bytes() + std::string(3000, '\0');
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      const Result read = Read(bytes, SegmentTail::kMayBeTorn);
      ASSERT_TRUE(absl::IsDataLoss(read.status)) << at << " " << read.status;
      EXPECT_THAT(read.words(), HasSubstr("/wal.seg: byte "));
      EXPECT_THAT(read.words(), HasSubstr("no torn tail"));
    }
  }
}

TEST(SegmentReaderTest, FlippedBitAnywhereInASealedSegmentIsRefused) {
  SegmentBuilder segment = ThreeGroups();
  segment.AddFooter();
  for (uint64_t at = 0; at < segment.bytes().size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = segment.bytes();
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      const Result read = Read(bytes, SegmentTail::kSealed);
      ASSERT_TRUE(absl::IsDataLoss(read.status)) << at << " " << read.status;
      EXPECT_THAT(read.words(), HasSubstr("/wal.seg: byte "));
    }
  }
}

TEST(SegmentReaderTest, TornHeaderIsNoSegmentUnlessAMarkFollows) {
  const SegmentBuilder segment(Header());
  for (size_t cut = 0; cut < segment.bytes().size(); ++cut) {
    const Result read = Read(segment.bytes().substr(0, cut), SegmentTail::kMayBeTorn);
    ASSERT_TRUE(read.status.ok()) << cut << read.status;
    EXPECT_FALSE(read.header);
    EXPECT_EQ(read.end_bytes, 0u);
    EXPECT_TRUE(
        absl::IsDataLoss(Read(segment.bytes().substr(0, cut), SegmentTail::kSealed).status));
  }
  EXPECT_TRUE(Read(segment.bytes(), SegmentTail::kMayBeTorn).header);
}

TEST(SegmentReaderTest, MarkInAClientsValueProvesNothing) {
  SegmentBuilder segment = ThreeGroups();
  // A mark as the client may know it, of another directory, and one of this at another place.
  for (const MarkPlace& place :
       {MarkPlace{.directory = DirectoryId(1), .number = 5, .offset = segment.bytes().size() + 90},
        MarkPlace{.directory = kDirectory, .number = 5, .offset = 1'000'000}}) {
    char mark[kMarkBytes];
    EncodeMark(place, {.synced_to = place.offset, .written_at_ms = 0}, mark);
    const std::string torn = std::string(90, 'x') + std::string(mark, kMarkBytes);
    const Result read = Read(segment.bytes() + torn, SegmentTail::kMayBeTorn);
    EXPECT_TRUE(read.status.ok()) << read.status;
    EXPECT_EQ(read.torn_bytes, torn.find_last_not_of('\0') + 1);
  }
}

TEST(SegmentReaderTest, MarkAcrossTheScansBlocksIsFound) {
  for (size_t before = (1 << 20) - 60; before <= (1 << 20) + 60; before += 7) {
    SegmentBuilder segment(Header());
    const uint64_t end = segment.bytes().size();
    segment.AddBytes(std::string(before, '\0'));
    segment.AddMark(end + 1);
    const Result read = Read(segment.bytes(), SegmentTail::kMayBeTorn);
    EXPECT_TRUE(absl::IsDataLoss(read.status)) << before;
  }
}

TEST(SegmentReaderTest, WholeFramesThatDoNotContinueTheStreamAreDamageNotATear) {
  const auto with = [](const FrameRef& frame) {
    SegmentBuilder segment(Header());
    segment.AddBytes(frame->bytes());
    return Read(segment.bytes(), SegmentTail::kMayBeTorn);
  };
  ShardPosition good = Header().before[0];
  EXPECT_TRUE(with(MakeFrame(HistoryId(9), ShardId(0), 2, 1, "xx", &good)).status.ok());
  ShardPosition gap = {.sequence = Sequence(101), .digest = 77};
  EXPECT_THAT(with(MakeFrame(HistoryId(9), ShardId(0), 2, 1, "xx", &gap)).words(),
              HasSubstr("shard 0 goes on with sequence 102 after 100"));
  ShardPosition digest = {.sequence = Sequence(100), .digest = 78};
  EXPECT_THAT(with(MakeFrame(HistoryId(9), ShardId(0), 2, 1, "xx", &digest)).words(),
              HasSubstr("digest at sequence 101"));
  ShardPosition history = Header().before[0];
  EXPECT_THAT(with(MakeFrame(HistoryId(8), ShardId(0), 2, 1, "xx", &history)).words(),
              HasSubstr("of history 0000000000000008"));
  ShardPosition shards = Header().before[0];
  EXPECT_TRUE(
      absl::IsDataLoss(with(MakeFrame(HistoryId(9), ShardId(0), 3, 1, "xx", &shards)).status));
}

TEST(SegmentReaderTest, FrameOfANewerWriterIsRefusedAndNeverCut) {
  SegmentBuilder segment(Header());
  ShardPosition position = Header().before[0];
  segment.AddBytes(MakeFrame(HistoryId(9), ShardId(0), 2, 1, "xx", &position, 0x100)->bytes());
  const Result read = Read(segment.bytes(), SegmentTail::kMayBeTorn);
  EXPECT_TRUE(absl::IsInvalidArgument(read.status)) << read.status;
  EXPECT_THAT(read.words(), HasSubstr("unknown flags"));
}

TEST(SegmentReaderTest, FooterThatDoesNotAddUpIsDamage) {
  SegmentBuilder segment(Header());
  ShardPosition position = Header().before[0];
  segment.AddBytes(MakeFrame(HistoryId(9), ShardId(0), 2, 1, "xx", &position)->bytes());
  segment.AddFooter();  // Knows nothing of that frame.
  EXPECT_THAT(Read(segment.bytes(), SegmentTail::kSealed).words(),
              HasSubstr("a footer of 0 frames"));
}

TEST(SegmentReaderTest, FilesOfOthersAreNamed) {
  SegmentHeader header = Header();
  header.directory = DirectoryId(0xabc);
  Result read = Read(SegmentBuilder(header).bytes(), SegmentTail::kMayBeTorn);
  EXPECT_TRUE(absl::IsFailedPrecondition(read.status));
  EXPECT_THAT(read.words(), HasSubstr("belongs to data directory 0000000000000abc"));
  header = Header();
  header.number = 6;
  read = Read(SegmentBuilder(header).bytes(), SegmentTail::kMayBeTorn);
  EXPECT_TRUE(absl::IsFailedPrecondition(read.status));
  EXPECT_THAT(read.words(), HasSubstr("is segment 6, not 5"));
}

TEST(SegmentReaderTest, GrowingSegmentIsReadUpToItsLimitAsThatMoves) {
  SegmentBuilder segment = ThreeGroups();
  segment.AddFooter();
  SimulatedDisk disk(1);
  // Beyond the limit there may be anything.
  disk.SetContents(kPath, segment.bytes().substr(0, segment.offsets()[2]) + "half a fra");
  auto reader = SegmentReader::Open(disk, kPath,
                                    {.directory = kDirectory,
                                     .number = 5,
                                     .tail = SegmentTail::kGrowing,
                                     .limit_bytes = SegmentHeaderBytes(2)});
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_FALSE((*reader)->Next()->has_value());
  (*reader)->set_limit_bytes(segment.offsets()[2]);
  EXPECT_TRUE((*reader)->Next()->has_value());
  EXPECT_FALSE((*reader)->Next()->has_value());
  disk.SetContents(kPath, segment.bytes());
  (*reader)->set_limit_bytes(segment.bytes().size());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE((*reader)->Next()->has_value());
  EXPECT_FALSE((*reader)->Next()->has_value());
  EXPECT_TRUE((*reader)->sealed());
}

TEST(SegmentReaderTest, DamageBelowTheLimitOfAGrowingSegmentIsNoEnd) {
  SegmentBuilder segment = ThreeGroups();
  SimulatedDisk disk(1);
  disk.SetContents(kPath, segment.bytes());
  disk.FlipBit(kPath, segment.bytes().size() - 1, 0);
  auto reader = SegmentReader::Open(disk, kPath,
                                    {.directory = kDirectory,
                                     .number = 5,
                                     .tail = SegmentTail::kGrowing,
                                     .limit_bytes = segment.bytes().size()});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE((*reader)->Next()->has_value());
  EXPECT_TRUE(absl::IsDataLoss((*reader)->Next().status()));
}

}  // namespace
}  // namespace tidemark::wal
