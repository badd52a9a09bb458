#include "base/format/frame_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <random>
#include <string>
#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"

namespace tidemark {
namespace {

using testing::HasSubstr;

// A frame of one Set whose value is `value`.
FrameRef FrameOf(uint64_t sequence, std::string_view value) {
  OpenFrame open;
  char* p = open.Reserve(RecordBytesBound(1, value.size()));
  open.Commit(EncodeSet(p, "k", value, 0));
  FrameHeader header{.history = HistoryId(5), .record_count = 1};
  header.first_sequence = header.last_sequence = Sequence(sequence);
  return open.Seal(header);
}

// `frame` compressed; `raw_bytes` as its header then claims.
FrameRef Compressed(const Frame& frame, uint32_t raw_bytes) {
  OpenFrame open;
  const size_t bound = ZSTD_compressBound(frame.payload().size());
  char* p = open.Reserve(bound);
  open.Commit(p + ZSTD_compress(p, bound, frame.payload().data(), frame.payload().size(), 3));
  FrameHeader header;
  EXPECT_TRUE(DecodeFrameHeader(frame.bytes(), kMaxFrameBytes, &header).ok());
  header.flags |= kFrameZstd;
  header.raw_bytes = raw_bytes;
  return open.Seal(header);
}

// Decodes `stream` fed in random pieces, at most `max_piece` bytes each.
std::vector<FrameRef> DecodeAll(const std::string& stream, size_t max_piece, uint64_t seed) {
  std::mt19937_64 random(seed);
  FrameDecoder decoder;
  std::vector<FrameRef> frames;
  size_t at = 0;
  while (at < stream.size()) {
    const std::string piece = stream.substr(at, 1 + random() % max_piece);
    at += piece.size();
    std::string_view input = piece;
    while (true) {
      absl::StatusOr<FrameRef> frame = decoder.Next(&input);
      EXPECT_TRUE(frame.ok()) << frame.status();
      if (!frame.ok() || *frame == nullptr) break;
      frames.push_back(*std::move(frame));
    }
    EXPECT_TRUE(input.empty());
  }
  EXPECT_TRUE(decoder.at_boundary());
  EXPECT_EQ(decoder.consumed_bytes(), stream.size());
  return frames;
}

TEST(FrameDecoderTest, PiecesOfAnySizeGiveTheSameFrames) {
  std::mt19937_64 random(3);
  std::string stream;
  std::vector<FrameRef> sent;
  for (uint64_t i = 1; i <= 40; ++i) {
    sent.push_back(FrameOf(i, std::string(random() % (i % 10 == 0 ? 100'000 : 300), 'x')));
    stream += sent.back()->bytes();
  }
  for (const size_t max_piece : {size_t{1}, size_t{7}, size_t{100}, size_t{5000}, stream.size()}) {
    SCOPED_TRACE(max_piece);
    const std::vector<FrameRef> got = DecodeAll(stream, max_piece, max_piece);
    ASSERT_EQ(got.size(), sent.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i]->bytes(), sent[i]->bytes());
  }
}

TEST(FrameDecoderTest, CompressedFrameComesOutAsTheOriginal) {
  const FrameRef frame = FrameOf(9, std::string(10'000, 'x'));
  const FrameRef twin = Compressed(*frame, frame->raw_bytes());
  ASSERT_LT(twin->bytes().size(), frame->bytes().size());
  const std::string stream = std::string(twin->bytes()) + std::string(twin->bytes());
  const std::vector<FrameRef> got = DecodeAll(stream, 100, 1);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0]->bytes(), frame->bytes());
  EXPECT_EQ(got[1]->bytes(), frame->bytes());
}

TEST(FrameDecoderTest, EveryFlippedBitIsAnError) {
  const std::string good(FrameOf(1, "value")->bytes());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const absl::StatusOr<FrameRef> frame = DecodeFrame(bad);
    EXPECT_FALSE(frame.ok()) << "bit " << bit;
  }
}

TEST(FrameDecoderTest, ErrorNamesTheByteOfTheStreamAndIsFinal) {
  std::string stream(FrameOf(1, "value")->bytes());
  const size_t first = stream.size();
  stream += FrameOf(2, "value")->bytes();
  stream.back() = '!';
  std::string_view input = stream;
  FrameDecoder decoder;
  ASSERT_TRUE(decoder.Next(&input).ok());
  const absl::Status status = decoder.Next(&input).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(std::string(status.message()), "frame at byte " + std::to_string(first) +
                                               " of the stream: the checksum does not match");
  const std::string good(FrameOf(3, "value")->bytes());
  input = good;
  EXPECT_EQ(decoder.Next(&input).status(), status);
}

TEST(FrameDecoderTest, FrameAboveTheLimitIsRefusedByItsHeader) {
  const FrameRef frame = FrameOf(1, std::string(1000, 'x'));
  std::string_view header = frame->bytes().substr(0, kFrameHeaderBytes);
  FrameDecoder decoder({.max_frame_bytes = 1000});
  EXPECT_EQ(decoder.Next(&header).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(DecodeFrame(frame->bytes(), {.max_frame_bytes = frame->bytes().size()}).ok());
}

TEST(FrameDecoderTest, MemoryFollowsWhatArrivedNotWhatIsClaimed) {
  FrameHeader claim{.history = HistoryId(1), .record_count = 1};
  claim.first_sequence = claim.last_sequence = Sequence(1);
  const FrameRef frame = FrameOf(1, "value");
  std::string header(frame->bytes().substr(0, kFrameHeaderBytes));
  const uint32_t gigabyte = 1 << 30;
  std::memcpy(header.data() + 56, &gigabyte, 4);
  std::memcpy(header.data() + 60, &gigabyte, 4);
  FrameDecoder decoder;
  std::string_view input = header;
  ASSERT_TRUE(decoder.Next(&input).ok());
  const std::string piece(1000, 'x');
  for (int i = 0; i < 100; ++i) {
    input = piece;
    ASSERT_TRUE(decoder.Next(&input).ok());
    EXPECT_LE(decoder.memory_bytes(), 8192u + 2000u * static_cast<size_t>(i + 1));
  }
}

TEST(FrameDecoderTest, ContentThatIsNotAsLongAsClaimedIsRefused) {
  const FrameRef frame = FrameOf(9, std::string(10'000, 'x'));
  for (const int delta : {-1, 1}) {
    const FrameRef twin = Compressed(*frame, frame->raw_bytes() + static_cast<uint32_t>(delta));
    const absl::Status status = DecodeFrame(twin->bytes()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("zstd says other than"));
  }
}

TEST(FrameDecoderTest, GarbageWithARightChecksumIsNotDecompressed) {
  OpenFrame open;
  const std::string garbage(100, 'g');
  char* p = open.Reserve(garbage.size());
  std::memcpy(p, garbage.data(), garbage.size());
  open.Commit(p + garbage.size());
  FrameHeader header{.flags = kFrameZstd, .history = HistoryId(1), .record_count = 1};
  header.first_sequence = header.last_sequence = Sequence(1);
  header.raw_bytes = 1000;
  EXPECT_EQ(DecodeFrame(open.Seal(header)->bytes()).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FrameDecoderTest, WholeFrameDecoderRefusesCutsAndTails) {
  const std::string good(FrameOf(1, "value")->bytes());
  EXPECT_TRUE(DecodeFrame(good).ok());
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(DecodeFrame(good.substr(0, cut)).ok()) << cut;
  }
  EXPECT_THAT(std::string(DecodeFrame(good + "x").status().message()),
              HasSubstr("1 bytes after the frame"));
}

}  // namespace
}  // namespace tidemark
