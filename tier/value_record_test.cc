#include "tier/value_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "base/format/coding.h"
#include "tier/value_codec.h"

namespace tidemark::tier {
namespace {

using testing::HasSubstr;

// The whole record of an uncompressed value at a place.
std::string RecordOf(std::string_view key, std::string_view value, uint32_t segment,
                     uint32_t offset) {
  std::string record(kRecordHeaderBytes, '\0');
  EncodeRecordHeader({.body_crc32c = RecordBodyCrc32c(key, value),
                      .key_bytes = static_cast<uint32_t>(key.size()),
                      .stored_bytes = static_cast<uint32_t>(value.size()),
                      .value_bytes = static_cast<uint32_t>(value.size()),
                      .shard = ShardId(2),
                      .flags = 0},
                     segment, offset, record.data());
  return record.append(key).append(value);
}

ValueLocation At(uint32_t segment, uint32_t offset, const std::string& record) {
  return {segment, offset, static_cast<uint32_t>(record.size())};
}

// A header made of fields that need not make sense, with the right checksum.
std::string HeaderOf(const RecordHeader& fields, uint8_t zero = 0) {
  std::string bytes(kRecordHeaderBytes, '\0');
  EncodeRecordHeader(fields, 1, 24, bytes.data());
  bytes[23] = static_cast<char>(zero);
  char place[8];
  StoreFixed(StoreFixed(place, uint32_t{1}), uint32_t{24});
  StoreFixed(bytes.data(), Crc32c(std::string_view(bytes).substr(4), Crc32c({place, 8})));
  return bytes;
}

// docs/formats/value_log.md, "Example".
TEST(ValueRecordTest, GoldenBytes) {
  std::string bytes(kValueSegmentHeaderBytes, '\0');
  EncodeValueSegmentHeader({.segment = 3, .created_at_ms = 1'700'000'000'000}, bytes.data());
  bytes += RecordOf("key", "value", 3, 24);
  std::string hex;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[c & 15];
  }
  EXPECT_EQ(hex,
            "54444d565d91b33c01000000030000000068e5cf8b010000"
            "2528e858448900e803000000050000000500000002000000"
            "6b657976616c7565");
}

TEST(ValueRecordTest, ASegmentHeaderComesBack) {
  std::string bytes(kValueSegmentHeaderBytes, '\0');
  EncodeValueSegmentHeader({.segment = 7, .created_at_ms = 42}, bytes.data());
  const auto header = DecodeValueSegmentHeader(bytes);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->segment, 7u);
  EXPECT_EQ(header->created_at_ms, 42);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 1;
    EXPECT_TRUE(absl::IsDataLoss(DecodeValueSegmentHeader(damaged).status())) << i;
  }
}

TEST(ValueRecordTest, ANewerSegmentIsNotTakenForDamage) {
  std::string bytes(kValueSegmentHeaderBytes, '\0');
  EncodeValueSegmentHeader({.segment = 7, .created_at_ms = 42}, bytes.data());
  bytes[8] = 2;
  StoreFixed(bytes.data() + 4, uint32_t{0});
  StoreFixed(bytes.data() + 4, Crc32c(bytes));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeValueSegmentHeader(bytes).status()));
}

TEST(ValueRecordTest, ARecordComesBack) {
  const std::string bytes = RecordOf("key", "value", 3, 24);
  const auto record = DecodeRecord(bytes, At(3, 24, bytes));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->key, "key");
  EXPECT_EQ(record->stored, "value");
  EXPECT_EQ(record->header.shard, ShardId(2));
  EXPECT_EQ(record->header.value_bytes, 5u);
  EXPECT_EQ(record->header.record_bytes(), bytes.size());
}

TEST(ValueRecordTest, AnEmptyKeyAndValueAreARecord) {
  const std::string bytes = RecordOf("", "", 1, 24);
  const auto record = DecodeRecord(bytes, At(1, 24, bytes));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->key, "");
  EXPECT_EQ(record->stored, "");
}

TEST(ValueRecordTest, EveryFlippedBitIsNoticed) {
  const std::string bytes = RecordOf("key", "value", 3, 24);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_TRUE(absl::IsDataLoss(DecodeRecord(damaged, At(3, 24, bytes)).status())) << bit;
  }
}

TEST(ValueRecordTest, EveryCutIsNoticed) {
  const std::string bytes = RecordOf("key", "value", 3, 24);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    EXPECT_TRUE(absl::IsDataLoss(DecodeRecord(cut, At(3, 24, bytes)).status())) << size;
    EXPECT_TRUE(absl::IsDataLoss(DecodeRecord(cut, At(3, 24, cut)).status())) << size;
  }
}

TEST(ValueRecordTest, ARecordOfAnotherPlaceIsDamage) {
  const std::string bytes = RecordOf("key", "value", 3, 24);
  EXPECT_TRUE(absl::IsDataLoss(DecodeRecord(bytes, At(4, 24, bytes)).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeRecord(bytes, At(3, 25, bytes)).status()));
}

struct NonsenseCase {
  std::string_view name;
  RecordHeader fields;
  uint8_t zero;
  std::string_view says;
};
class NonsenseTest : public testing::TestWithParam<NonsenseCase> {};

TEST_P(NonsenseTest, IsRefusedAlthoughItsChecksumIsRight) {
  const auto header = DecodeRecordHeader(HeaderOf(GetParam().fields, GetParam().zero), 1, 24);
  ASSERT_TRUE(absl::IsDataLoss(header.status()));
  EXPECT_THAT(std::string(header.status().message()), HasSubstr(std::string(GetParam().says)));
}

RecordHeader Fields(uint32_t key, uint32_t stored, uint32_t value, uint16_t shard, uint8_t flags) {
  return {.body_crc32c = 0,
          .key_bytes = key,
          .stored_bytes = stored,
          .value_bytes = value,
          .shard = ShardId(shard),
          .flags = flags};
}

INSTANTIATE_TEST_SUITE_P(
    Headers, NonsenseTest,
    testing::Values(
        NonsenseCase{"HugeKey", Fields(kMaxRecordKeyBytes + 1, 1, 1, 0, 0), 0, "limit"},
        NonsenseCase{"HugeValue",
                     Fields(1, kMaxRecordValueBytes + 1, kMaxRecordValueBytes + 1, 0, 0), 0,
                     "limit"},
        NonsenseCase{"UnknownFlag", Fields(1, 1, 1, 0, 2), 0, "flags"},
        NonsenseCase{"NotZero", Fields(1, 1, 1, 0, 0), 1, "flags"},
        NonsenseCase{"PlainLengthsDiffer", Fields(1, 1, 2, 0, 0), 0, "contradict"},
        NonsenseCase{"GrewByCompression", Fields(1, 2, 2, 0, kRecordZstd), 0, "contradict"},
        NonsenseCase{"NoSuchShard", Fields(1, 1, 1, kMaxShards, 0), 0, "shard"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ValueCodecTest, AValueComesBack) {
  std::string value;
  while (value.size() < 5000) value += "so it goes, ";
  ValueCompressor compressor;
  const auto stored = compressor.Compress(value);
  ASSERT_TRUE(stored.has_value());
  EXPECT_LT(stored->size(), value.size() / 10);
  ValueDecompressor decompressor;
  const auto back = decompressor.Decompress(*stored, value.size());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ((*back)->view(), value);
}

TEST(ValueCodecTest, WhatDoesNotPayStaysAsItIs) {
  ValueCompressor compressor;
  EXPECT_FALSE(compressor.Compress(std::string(ValueCompressor::kMinValueBytes - 1, 'a')));
  std::string noise;
  uint64_t x = 1;
  for (int i = 0; i < 4096; ++i) {
    x = x * 6364136223846793005 + 1442695040888963407;
    noise += static_cast<char>(x >> 56);
  }
  EXPECT_FALSE(compressor.Compress(noise));
}

TEST(ValueCodecTest, AnotherLengthOrDamageIsDataLoss) {
  const std::string value(4000, 'v');
  ValueCompressor compressor;
  const std::string stored(*compressor.Compress(value));
  ValueDecompressor decompressor;
  EXPECT_TRUE(absl::IsDataLoss(decompressor.Decompress(stored, value.size() + 1).status()));
  EXPECT_TRUE(absl::IsDataLoss(decompressor.Decompress("", 0).status()));
  EXPECT_TRUE(
      absl::IsDataLoss(decompressor.Decompress(stored.substr(0, 12), value.size()).status()));
}

}  // namespace
}  // namespace tidemark::tier
