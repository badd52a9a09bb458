#include "base/format/frame_compressor.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/format/frame_decoder.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"

namespace tidemark {
namespace {

FrameRef FrameOf(std::string_view value) {
  OpenFrame open;
  char* p = open.Reserve(RecordBytesBound(3, value.size()));
  open.Commit(EncodeSet(p, "key", value, 5));
  return open.Seal({
      .kind = FrameKind::kMutations,
      .flags = 0,
      .history = HistoryId(9),
      .shard = ShardId(2),
      .shard_count = 4,
      .record_count = 1,
      .first_sequence = Sequence(1),
      .last_sequence = Sequence(1),
      .stream_digest = StreamDigest(0, open.payload()),
      .sealed_at_ms = 77,
  });
}

std::string Noise(size_t size) {
  std::mt19937_64 random(1);
  std::string out;
  while (out.size() < size) out.push_back(static_cast<char>(random()));
  return out;
}

TEST(FrameCompressorTest, TwinDecodesToTheFrameItWasMadeOf) {
  FrameCompressor compressor({});
  const FrameRef frame = FrameOf(std::string(100'000, 'x'));
  const Frame& twin = compressor.Compress(*frame);
  EXPECT_TRUE(twin.is_compressed());
  EXPECT_EQ(twin.raw_bytes(), frame->raw_bytes());
  EXPECT_LT(twin.bytes().size(), frame->bytes().size() / 10);
  const absl::StatusOr<FrameRef> decoded = DecodeFrame(twin.bytes());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ((*decoded)->bytes(), frame->bytes());
}

TEST(FrameCompressorTest, FrameIsCompressedOnceForAll) {
  FrameCompressor one({}), other({});
  const FrameRef frame = FrameOf(std::string(10'000, 'x'));
  const Frame& twin = one.Compress(*frame);
  EXPECT_EQ(&one.Compress(*frame), &twin);
  EXPECT_EQ(&other.Compress(*frame), &twin);
  EXPECT_EQ(one.stats().frames, 1u);
  EXPECT_EQ(other.stats().frames, 0u);
  EXPECT_EQ(one.stats().raw_bytes, frame->raw_bytes());
  EXPECT_EQ(one.stats().stored_bytes, twin.stored_bytes());
}

TEST(FrameCompressorTest, WhatDoesNotPayIsTriedOnceAndSentAsItIs) {
  FrameCompressor compressor({});
  const FrameRef frame = FrameOf(Noise(10'000));
  EXPECT_EQ(&compressor.Compress(*frame), frame.get());
  EXPECT_EQ(&compressor.Compress(*frame), frame.get());
  EXPECT_EQ(compressor.stats().frames, 1u);
}

TEST(FrameCompressorTest, SmallFrameIsNotTried) {
  FrameCompressor compressor({.min_payload_bytes = 512});
  const FrameRef frame = FrameOf(std::string(100, 'x'));
  EXPECT_EQ(&compressor.Compress(*frame), frame.get());
  EXPECT_EQ(compressor.stats().frames, 0u);
}

}  // namespace
}  // namespace tidemark
