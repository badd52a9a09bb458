#include "wal/segment_writer.h"

#include <gtest/gtest.h>

#include <limits>

#include "wal/disk/simulated_disk.h"
#include "wal/segment_reader.h"
#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

constexpr HistoryId kHistory{3};

class SegmentWriterTest : public testing::Test {
 protected:
  SegmentWriterTest() : directory_(*DataDirectory::Open(disk_, "/data", DirectoryId(5))) {}

  absl::StatusOr<std::unique_ptr<SegmentWriter>> Create(uint64_t number, uint64_t bytes = 4096) {
    return SegmentWriter::Create(*directory_,
                                 {.directory = directory_->id(),
                                  .number = number,
                                  .created_at_ms = 1,
                                  .history = kHistory,
                                  .before = Positions{stream_.position()}},
                                 bytes);
  }

  absl::Status Write(SegmentWriter& segment, size_t records = 1) {
    const FrameRef frame = stream_.Make(records);
    const Frame* const frames[] = {frame.get()};
    return segment.Write(frames, 2);
  }

  struct Read {
    absl::Status status;
    size_t frames = 0;
    bool sealed = false;
  };
  Read ReadBack(uint64_t number, SegmentTail tail) {
    Read read;
    auto reader = SegmentReader::Open(disk_, directory_->SegmentPath(number),
                                      {.directory = DirectoryId(5),
                                       .number = number,
                                       .tail = tail,
                                       .limit_bytes = std::numeric_limits<uint64_t>::max()});
    for (read.status = reader.status(); read.status.ok(); ++read.frames) {
      const auto item = (*reader)->Next();
      read.status = item.status();
      if (!item.ok() || !item->has_value()) break;
    }
    if (read.status.ok()) read.sealed = (*reader)->sealed();
    return read;
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<DataDirectory> directory_;
  TestStream stream_{kHistory, ShardId(0), 1};
};

TEST_F(SegmentWriterTest, NewSegmentSurvivesACrashAtOnce) {
  ASSERT_TRUE(Create(1).ok());
  disk_.Crash(SimulatedDisk::Unsynced::kLose);
  const Read read = ReadBack(1, SegmentTail::kMayBeTorn);
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.frames, 0u);
}

TEST_F(SegmentWriterTest, SealedSegmentReadsBackWholeWithItsMarks) {
  auto segment = *Create(1);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Write(*segment, 3).ok());
    ASSERT_TRUE(segment->Sync().ok());
  }
  ASSERT_TRUE(segment->Seal(9).ok());
  disk_.Crash(SimulatedDisk::Unsynced::kLose);
  const Read read = ReadBack(1, SegmentTail::kSealed);
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.frames, 5u);
  EXPECT_TRUE(read.sealed);
}

TEST_F(SegmentWriterTest, WritesAMarkOnlyAfterASync) {
  auto segment = *Create(1);
  const uint64_t begin = segment->end_bytes();
  ASSERT_TRUE(Write(*segment).ok());
  EXPECT_EQ(segment->first_offset(), begin);
  const uint64_t synced = segment->end_bytes();
  ASSERT_TRUE(segment->Sync().ok());
  ASSERT_TRUE(Write(*segment).ok());
  EXPECT_EQ(segment->first_offset(), synced + kMarkBytes);
  const uint64_t end = segment->end_bytes();
  ASSERT_TRUE(Write(*segment).ok());
  EXPECT_EQ(segment->first_offset(), end);
}

TEST_F(SegmentWriterTest, FullDiskLeavesNoHole) {
  auto segment = *Create(1);
  disk_.set_capacity_bytes(4096);
  const FrameRef large = stream_.Make(1, std::string(8000, 'x'));
  const Frame* const frames[] = {large.get()};
  EXPECT_EQ(segment->Write(frames, 2).code(), absl::StatusCode::kResourceExhausted);
  disk_.set_capacity_bytes(1 << 20);
  EXPECT_TRUE(segment->Write(frames, 2).ok());
  ASSERT_TRUE(segment->Seal(9).ok());
  const Read read = ReadBack(1, SegmentTail::kSealed);
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.frames, 1u);
}

TEST_F(SegmentWriterTest, NoRoomForASegmentLeavesNoFile) {
  disk_.set_capacity_bytes(1000);
  EXPECT_EQ(Create(1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(directory_->ListSegments()->empty());
  disk_.set_capacity_bytes(1 << 20);
  EXPECT_TRUE(Create(1).ok());
}

TEST_F(SegmentWriterTest, NeverWritesOverASegment) {
  auto segment = *Create(1);
  ASSERT_TRUE(Write(*segment).ok());
  ASSERT_TRUE(segment->Seal(9).ok());
  EXPECT_EQ(Create(1).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadBack(1, SegmentTail::kSealed).frames, 1u);
}

TEST_F(SegmentWriterTest, CountsTheFooterIntoItsRoom) {
  auto segment = *Create(1);
  EXPECT_TRUE(segment->empty());
  const uint64_t room = 4096 - segment->end_bytes() - kMarkBytes - FooterBytes(1);
  EXPECT_TRUE(segment->HasRoomFor(room));
  EXPECT_FALSE(segment->HasRoomFor(room + 1));
  ASSERT_TRUE(Write(*segment).ok());
  EXPECT_FALSE(segment->empty());
  EXPECT_FALSE(segment->HasRoomFor(room));
}

TEST_F(SegmentWriterTest, ZerosAheadChangeNothingThatIsRead) {
  auto segment = *Create(1);
  for (int i = 0; i < 5; ++i) {
    const uint64_t end = segment->end_bytes();
    ASSERT_TRUE(segment->ZeroAhead(100, 300).ok());
    EXPECT_EQ(segment->end_bytes(), end);
    ASSERT_TRUE(Write(*segment, 3).ok());
    ASSERT_TRUE(segment->Sync().ok());
  }
  ASSERT_TRUE(segment->ZeroAhead(100, 1 << 20).ok());
  EXPECT_EQ(*(*disk_.OpenFile(directory_->SegmentPath(1), Disk::Open::kRead))->Size(), 4096u);
  disk_.Crash(SimulatedDisk::Unsynced::kLose);
  const Read read = ReadBack(1, SegmentTail::kMayBeTorn);
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.frames, 5u);
}

TEST_F(SegmentWriterTest, ZerosAreWrittenOnceAndOnlyBehindWhatIsThere) {
  auto segment = *Create(1, 1 << 20);
  ASSERT_TRUE(segment->ZeroAhead(100, 10'000).ok());
  disk_.FailWrite(1);
  EXPECT_TRUE(segment->ZeroAhead(10'000, 10'000).ok()) << "nothing was to be written";
  EXPECT_FALSE(segment->ZeroAhead(10'101, 10'000).ok());
  EXPECT_TRUE(segment->ZeroAhead(10'101, 10'000).ok()) << "the call may be made again";
}

TEST_F(SegmentWriterTest, FailedSyncIsRemembered) {
  auto segment = *Create(1);
  ASSERT_TRUE(Write(*segment).ok());
  disk_.FailSync(1);
  EXPECT_FALSE(segment->Seal(9).ok());
  EXPECT_TRUE(segment->sync_failed());
  EXPECT_FALSE(segment->sealed());
}

}  // namespace
}  // namespace tidemark::wal
