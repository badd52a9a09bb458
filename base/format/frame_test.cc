#include "base/format/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/crc32c.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"

namespace tidemark {
namespace {

using testing::HasSubstr;

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

void Append(OpenFrame& open, std::string_view bytes) {
  char* p = open.Reserve(bytes.size());
  std::memcpy(p, bytes.data(), bytes.size());
  open.Commit(p + bytes.size());
}

FrameHeader Header(uint64_t first, uint64_t last) {
  return {.history = HistoryId(0x1122334455667788),
          .shard = ShardId(0),
          .shard_count = 1,
          .record_count = static_cast<uint32_t>(last - first + 1),
          .first_sequence = Sequence(first),
          .last_sequence = Sequence(last),
          .sealed_at_ms = 1700000000000};
}

// The example of docs/formats/frame.md.
FrameRef Example() {
  OpenFrame open;
  char* p = open.Reserve(RecordBytesBound(1, 1) + RecordBytesBound(1, 0));
  open.Commit(EncodeDelete(EncodeSet(p, "k", "v", 0), "k", 0));
  FrameHeader header = Header(1, 2);
  header.stream_digest = StreamDigest(0, open.payload());
  return open.Seal(header);
}

TEST(FrameTest, BytesAreThoseOfTheDocument) {
  EXPECT_EQ(Hex(Example()->bytes()),
            "54444d4601010000887766554433221100000100020000000100000000000000"
            "0200000000000000a3cac84d8ebb3c2f0068e5cf8b0100000a0000000a000000"
            "c966723d010001016b760200016b");
}

TEST(FrameTest, ChecksumCoversHeaderWithZeroAndPayload) {
  const FrameRef frame = Example();
  std::string bytes(frame->bytes());
  bytes.replace(64, 4, 4, '\0');
  EXPECT_EQ(frame->crc32c(), Crc32c(bytes));
}

TEST(FrameTest, DigestIsXxh3SeededWithTheOneBefore) {
  EXPECT_EQ(StreamDigest(0, ""), 0x2d06800538d394c2u);  // `printf '' | xxhsum -H3`
  EXPECT_NE(StreamDigest(1, "a"), StreamDigest(0, "a"));
  EXPECT_NE(StreamDigest(StreamDigest(0, "a"), "b"), StreamDigest(StreamDigest(0, "b"), "a"));
}

TEST(FrameTest, HeaderRoundTripsEveryField) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    OpenFrame open;
    Append(open, std::string(2 * (1 + random() % 500), 'x'));
    const auto records = static_cast<uint32_t>(1 + random() % (open.payload_bytes() / 2));
    const uint64_t first = 1 + random() / 2;
    FrameHeader h = Header(first, first + records - 1);
    h.history = HistoryId(random());
    h.shard_count = static_cast<uint16_t>(1 + random() % kMaxShards);
    h.shard = ShardId(static_cast<uint16_t>(random() % h.shard_count));
    h.stream_digest = random();
    h.sealed_at_ms = static_cast<int64_t>(random());
    if (random() % 2 == 0) {
      h.kind = FrameKind::kSnapshotChunk;
      h.first_sequence = h.last_sequence;
      h.flags = static_cast<uint16_t>(random() % 4 << 1);
    } else if (random() % 2 == 0) {
      h.flags = kFrameTransactions;
    }
    const size_t size = open.payload_bytes();
    const FrameRef frame = open.Seal(h);

    FrameHeader read;
    ASSERT_TRUE(DecodeFrameHeader(frame->bytes(), kMaxFrameBytes, &read).ok());
    for (const FrameHeader& r : {read, frame->header()}) {
      EXPECT_EQ(r.kind, h.kind);
      EXPECT_EQ(r.flags, h.flags);
      EXPECT_EQ(r.history, h.history);
      EXPECT_EQ(r.shard, h.shard);
      EXPECT_EQ(r.shard_count, h.shard_count);
      EXPECT_EQ(r.record_count, h.record_count);
      EXPECT_EQ(r.first_sequence, h.first_sequence);
      EXPECT_EQ(r.last_sequence, h.last_sequence);
      EXPECT_EQ(r.stream_digest, h.stream_digest);
      EXPECT_EQ(r.sealed_at_ms, h.sealed_at_ms);
      EXPECT_EQ(r.raw_bytes, size);
      EXPECT_EQ(r.stored_bytes, size);
    }
  }
}

struct HeaderCase {
  std::string name;
  size_t at;
  uint64_t value;
  size_t width;
  absl::StatusCode code;
  std::string message;
};

class BadHeaderTest : public testing::TestWithParam<HeaderCase> {};

TEST_P(BadHeaderTest, IsRefusedWithTheOffset) {
  std::string bytes(Example()->bytes());
  std::memcpy(bytes.data() + GetParam().at, &GetParam().value, GetParam().width);
  FrameHeader header;
  const absl::Status status = DecodeFrameHeader(bytes, kMaxFrameBytes, &header);
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

constexpr auto kLoss = absl::StatusCode::kDataLoss;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

INSTANTIATE_TEST_SUITE_P(
    All, BadHeaderTest,
    testing::Values(
        HeaderCase{"Magic", 0, 0, 4, kLoss, "byte 0 "},
        HeaderCase{"VersionFromTheFuture", 4, 2, 1, kInvalid,
                   "byte 4 of a frame header: version 2"},
        HeaderCase{"Kind", 5, 3, 1, kInvalid, "byte 5 of a frame header: unknown kind 3"},
        HeaderCase{"Flag", 6, 16, 2, kInvalid, "byte 6 of a frame header: unknown flags 0x10"},
        HeaderCase{"TransactionsInAChunk", 5, 0x0802, 2, kInvalid, "unknown flags 0x8 for kind 2"},
        HeaderCase{"LastOnMutations", 6, 4, 2, kInvalid, "unknown flags 0x4 for kind 1"},
        HeaderCase{"ShardNotBelowCount", 16, 1, 2, kLoss, "shard 1 of 1"},
        HeaderCase{"NoShards", 18, 0, 2, kLoss, "shard 0 of 0"},
        HeaderCase{"TooManyShards", 18, 1025, 2, kLoss, "shard 0 of 1025"},
        HeaderCase{"NoRecords", 20, 0, 4, kLoss, "no records"},
        HeaderCase{"CountThatCannotFit", 20, 6, 4, kLoss, "6 records in 10 bytes"},
        HeaderCase{"CountThatSequencesDeny", 20, 3, 4, kLoss, "sequences 1 to 2 for 3 records"},
        HeaderCase{"SequenceZero", 24, 0, 8, kLoss, "sequences 0 to 2"},
        HeaderCase{"LastBeforeFirst", 24, 9, 8, kLoss, "sequences 9 to 2"},
        HeaderCase{"StoredNotRaw", 60, 9, 4, kLoss, "9 bytes stored of 10"},
        HeaderCase{"TooLarge", 56, 0xf0000000, 4, kInvalid, "at most"},
        HeaderCase{"CompressedIsNotSmaller", 6, 1, 2, kLoss, "10 bytes stored of 10, compressed"},
        HeaderCase{"ChunkWithTwoWatermarks", 5, 2, 1, kLoss, "two watermarks"}),
    [](const auto& info) { return info.param.name; });

TEST(FrameTest, ClaimThatZstdCannotKeepIsRefused) {
  OpenFrame open;
  Append(open, "ten bytes.");
  FrameHeader header = Header(1, 2);
  header.flags = kFrameZstd;
  header.raw_bytes = 10 << 20;
  FrameHeader read;
  EXPECT_THAT(
      std::string(DecodeFrameHeader(open.Seal(header)->bytes(), kMaxFrameBytes, &read).message()),
      HasSubstr("10 bytes cannot hold"));
}

TEST(FrameTest, OnlyTheLastSnapshotChunkMayBeEmpty) {
  OpenFrame open;
  FrameHeader header = Header(7, 7);
  header.kind = FrameKind::kSnapshotChunk;
  header.record_count = 0;
  FrameHeader read;
  EXPECT_EQ(DecodeFrameHeader(open.Seal(header)->bytes(), kMaxFrameBytes, &read).code(), kLoss);
  header.flags = kFrameFirst | kFrameLast;
  const FrameRef frame = open.Seal(header);
  EXPECT_TRUE(DecodeFrameHeader(frame->bytes(), kMaxFrameBytes, &read).ok());
  EXPECT_TRUE(frame->is_first_chunk());
  EXPECT_TRUE(frame->is_last_chunk());
}

TEST(OpenFrameTest, SealedFramesKeepTheirBytesWhileTheNextIsWritten) {
  OpenFrame open;
  std::vector<FrameRef> frames;
  std::vector<std::string> payloads;
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string payload;
    const size_t target = size_t{1} << (random() % 19);
    while (payload.size() < target) {
      const std::string piece(1 + random() % target, static_cast<char>(random()));
      Append(open, piece);
      payload += piece;
    }
    EXPECT_EQ(open.payload(), payload);
    frames.push_back(open.Seal(Header(1, 1)));
    payloads.push_back(payload);
    EXPECT_EQ(open.payload_bytes(), 0u);
  }
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i]->payload(), payloads[i]);
    EXPECT_EQ(frames[i]->memory_bytes(), sizeof(Frame) + frames[i]->bytes().size());
  }
}

TEST(OpenFrameTest, PayloadAboveTheLimitIsRefusedAndNothingIsLost) {
  OpenFrame open;
  Append(open, "kept");
  EXPECT_EQ(open.Reserve(kMaxPayloadBytes), nullptr);
  EXPECT_EQ(open.payload(), "kept");
}

TEST(FrameTest, FirstTwinWinsAndLivesAsLongAsTheFrame) {
  const FrameRef frame = Example();
  EXPECT_EQ(frame->compressed(), nullptr);
  FrameRef first = Example();
  const Frame* winner = first.get();
  EXPECT_EQ(frame->PublishCompressed(std::move(first)), winner);
  EXPECT_EQ(frame->PublishCompressed(Example()), winner);
  EXPECT_EQ(frame->compressed(), winner);
}

TEST(FrameTest, FrameMayBeItsOwnTwinAndIsFreedAllTheSame) {
  const FrameRef frame = Example();
  EXPECT_EQ(frame->PublishCompressed(frame), frame.get());
  EXPECT_EQ(frame->compressed(), frame.get());
}  // The leak sanitizer sees to the rest.

}  // namespace
}  // namespace tidemark
