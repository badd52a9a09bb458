#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "wal/format/envelope.h"
#include "wal/format/segment.h"

namespace tidemark::wal {
namespace {

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

// The example of docs/formats/segment.md.
constexpr DirectoryId kDirectory(0x0102030405060708);
constexpr int64_t kTime = 1700000000000;

SegmentHeader ExampleHeader() {
  return {.directory = kDirectory,
          .number = 3,
          .created_at_ms = kTime,
          .history = HistoryId(0x1122334455667788),
          .before = {{.sequence = Sequence(0), .digest = 0}}};
}

TEST(SegmentFormatTest, HeaderIsThatOfTheDocument) {
  EXPECT_EQ(Hex(EncodeSegmentHeader(ExampleHeader())),
            "54444d53010001004000000003b17b5608070605040302010300000000000000"
            "0068e5cf8b010000887766554433221100000000000000000000000000000000");
}

TEST(SegmentFormatTest, MarkIsThatOfTheDocument) {
  char mark[kMarkBytes];
  EXPECT_EQ(EncodeMark({.directory = kDirectory, .number = 3, .offset = 64},
                       {.synced_to = 64, .written_at_ms = kTime}, mark),
            mark + kMarkBytes);
  EXPECT_EQ(Hex({mark, kMarkBytes}),
            "54444d4b23eba12c080706050403020103000000000000004000000000000000"
            "40000000000000000068e5cf8b010000");
}

TEST(SegmentFormatTest, FooterIsThatOfTheDocument) {
  EXPECT_EQ(Hex(EncodeFooter({.directory = kDirectory, .number = 3, .offset = 190},
                             {.synced_to = 64,
                              .written_at_ms = kTime,
                              .frames = 1,
                              .after = {{.sequence = Sequence(2), .digest = 0x2f3cbb8e4dc8caa3}}})),
            "54444d45b32df38808070605040302010300000000000000be00000000000000"
            "40000000000000000068e5cf8b01000001000000000000000200000000000000"
            "a3cac84d8ebb3c2f");
}

TEST(EnvelopeTest, BytesAreThoseOfTheDocument) {
  EXPECT_EQ(Hex(Seal(EnvelopeKind::kManifest, "hello")),
            "54444d4401000000050000005c4918e868656c6c6f");
}

TEST(SegmentFormatTest, EveryFieldRoundTrips) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Positions positions(seed == 99 ? kMaxShards : 1 + random() % 20);
    for (ShardPosition& p : positions) p = {.sequence = Sequence(random()), .digest = random()};
    const SegmentHeader header{.directory = DirectoryId(random()),
                               .number = random(),
                               .created_at_ms = static_cast<int64_t>(random()),
                               .history = HistoryId(random()),
                               .before = positions};
    const auto read = DecodeSegmentHeader(EncodeSegmentHeader(header) + "more");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->directory, header.directory);
    EXPECT_EQ(read->number, header.number);
    EXPECT_EQ(read->created_at_ms, header.created_at_ms);
    EXPECT_EQ(read->history, header.history);
    EXPECT_EQ(read->before, positions);

    const MarkPlace place{.directory = header.directory, .number = 5, .offset = random() / 2};
    const Footer footer{.synced_to = place.offset / 2,
                        .written_at_ms = static_cast<int64_t>(random()),
                        .frames = random(),
                        .after = positions};
    const auto read_footer = DecodeFooter(EncodeFooter(place, footer), place, positions.size());
    ASSERT_TRUE(read_footer.ok()) << read_footer.status();
    EXPECT_EQ(read_footer->synced_to, footer.synced_to);
    EXPECT_EQ(read_footer->written_at_ms, footer.written_at_ms);
    EXPECT_EQ(read_footer->frames, footer.frames);
    EXPECT_EQ(read_footer->after, positions);

    char mark[kMarkBytes];
    EncodeMark(place, {.synced_to = place.offset, .written_at_ms = footer.written_at_ms}, mark);
    const auto read_mark = DecodeMark({mark, kMarkBytes}, place);
    ASSERT_TRUE(read_mark.ok()) << read_mark.status();
    EXPECT_EQ(read_mark->synced_to, place.offset);
    EXPECT_EQ(read_mark->written_at_ms, footer.written_at_ms);
  }
}

TEST(SegmentFormatTest, MarkOfAnotherPlaceIsNone) {
  const MarkPlace place{.directory = kDirectory, .number = 3, .offset = 64};
  char mark[kMarkBytes];
  EncodeMark(place, {.synced_to = 64, .written_at_ms = kTime}, mark);
  const std::string_view bytes(mark, kMarkBytes);
  EXPECT_TRUE(DecodeMark(bytes, place).ok());
  for (MarkPlace other : {MarkPlace{DirectoryId(1), 3, 64}, MarkPlace{kDirectory, 4, 64},
                          MarkPlace{kDirectory, 3, 65}}) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeMark(bytes, other).status()));
  }
  // It cannot have been synced before it was written.
  EncodeMark(place, {.synced_to = 65, .written_at_ms = kTime}, mark);
  EXPECT_TRUE(absl::IsDataLoss(DecodeMark(bytes, place).status()));
}

TEST(SegmentFormatTest, EveryFlippedBitAndEveryCutOfAHeaderIsNoticed) {
  const std::string good = EncodeSegmentHeader(ExampleHeader());
  for (size_t i = 0; i < good.size(); ++i) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeSegmentHeader(good.substr(0, i)).status())) << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_TRUE(absl::IsDataLoss(DecodeSegmentHeader(bad).status())) << i;
    }
  }
}

TEST(EnvelopeTest, EveryFlippedBitAndEveryCutIsNoticed) {
  const std::string good = Seal(EnvelopeKind::kManifest, "hello");
  EXPECT_EQ(*Unseal(EnvelopeKind::kManifest, good), "hello");
  EXPECT_TRUE(absl::IsDataLoss(Unseal(EnvelopeKind::kConsumers, good).status()));
  EXPECT_TRUE(absl::IsDataLoss(Unseal(EnvelopeKind::kManifest, good + "x").status()));
  for (size_t i = 0; i < good.size(); ++i) {
    EXPECT_TRUE(absl::IsDataLoss(Unseal(EnvelopeKind::kManifest, good.substr(0, i)).status()));
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_TRUE(absl::IsDataLoss(Unseal(EnvelopeKind::kManifest, bad).status())) << i;
    }
  }
}

}  // namespace
}  // namespace tidemark::wal
