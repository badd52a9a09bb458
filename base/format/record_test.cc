#include "base/format/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string SetBytes(std::string_view key, std::string_view value, const Expiry& expiry = {}) {
  std::string out(RecordBytesBound(key.size(), value.size()), '\0');
  out.resize(EncodeSet(out.data(), key, value, expiry) - out.data());
  return out;
}

std::string DeleteBytes(std::string_view key, uint8_t flags = 0) {
  std::string out(RecordBytesBound(key.size(), 0), '\0');
  out.resize(EncodeDelete(out.data(), key, flags) - out.data());
  return out;
}

std::string ExpireBytes(std::string_view key, const Expiry& expiry) {
  std::string out(RecordBytesBound(key.size(), 0), '\0');
  out.resize(EncodeExpire(out.data(), key, expiry) - out.data());
  return out;
}

std::string SetRangeBytes(std::string_view key, uint64_t offset, std::string_view bytes) {
  std::string out(RecordBytesBound(key.size(), bytes.size()), '\0');
  out.resize(EncodeSetRange(out.data(), key, offset, bytes) - out.data());
  return out;
}

std::string FlushBytes() {
  std::string out(RecordBytesBound(0, 0), '\0');
  out.resize(EncodeFlush(out.data()) - out.data());
  return out;
}

std::string TransactionBytes(uint64_t id, uint32_t records, const std::vector<int>& shards) {
  std::vector<ShardId> participants;
  for (const int shard : shards) participants.push_back(ShardId(static_cast<uint16_t>(shard)));
  std::string out(TransactionBytesBound(participants.size()), '\0');
  char* count_at = nullptr;
  out.resize(EncodeTransaction(out.data(), id, records, participants, &count_at) - out.data());
  return out;
}

// The first error in a payload, or OK.
absl::Status Check(std::string_view payload, uint32_t records,
                   FrameKind kind = FrameKind::kMutations) {
  RecordReader reader(kind, payload, records);
  Record record;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) {
      EXPECT_EQ(reader.Next(&record).status(), more.status()) << "an error is final";
      return more.status();
    }
    if (!*more) return absl::OkStatus();
  }
}

std::string Bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out.push_back(static_cast<char>(value));
  return out;
}

TEST(RecordTest, LayoutIsThatOfTheDocument) {
  EXPECT_EQ(SetBytes("k", "vw"), Bytes({1, 0, 1, 2, 'k', 'v', 'w'}));
  EXPECT_EQ(SetBytes("k", "v", 0x0102), Bytes({1, 1, 1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 'k', 'v'}));
  const TtlExtras extras = {.idle_ms = 200, .stale_ms = 2, .hard_at_ms = 0x0100};
  EXPECT_EQ(SetBytes("k", "v", {0x0102, extras}),
            Bytes({1, 9, 1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0xc8, 1, 2, 0x80, 2, 'k', 'v'}));
  EXPECT_EQ(ExpireBytes("a", {3, {.idle_ms = 1, .stale_ms = 0, .hard_at_ms = 0}}),
            Bytes({3, 9, 1, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'a'}));
  EXPECT_EQ(DeleteBytes("ab", kRecordExpired), Bytes({2, 2, 2, 'a', 'b'}));
  EXPECT_EQ(DeleteBytes("ab", kRecordEvicted), Bytes({2, 4, 2, 'a', 'b'}));
  EXPECT_EQ(ExpireBytes("a", 3), Bytes({3, 1, 1, 3, 0, 0, 0, 0, 0, 0, 0, 'a'}));
  EXPECT_EQ(ExpireBytes("a", 0), Bytes({3, 0, 1, 'a'}));
  EXPECT_EQ(FlushBytes(), Bytes({4, 0}));
  EXPECT_EQ(TransactionBytes(300, 2, {0, 200}), Bytes({5, 0, 0xac, 2, 2, 2, 0, 0xc8, 1}));
  EXPECT_EQ(SetRangeBytes("a", 128, "xy"), Bytes({6, 0, 1, 0x80, 1, 2, 'a', 'x', 'y'}));
}

TEST(RecordTest, ReaderGivesBackWhatWasEncoded) {
  const std::string payload = SetBytes("key", "value", 1700000000000) + DeleteBytes("gone") +
                              ExpireBytes("key", 0) + TransactionBytes(7, 2, {1, 3}) +
                              SetRangeBytes("r", 70000, std::string(300, 'x')) + FlushBytes();
  RecordReader reader(FrameKind::kMutations, payload, 6);
  Record record;

  ASSERT_TRUE(*reader.Next(&record));
  EXPECT_EQ(record.op, RecordOp::kSet);
  EXPECT_EQ(record.key, "key");
  EXPECT_EQ(record.value, "value");
  EXPECT_EQ(record.expiry, Expiry(1700000000000));

  ASSERT_TRUE(*reader.Next(&record));
  EXPECT_EQ(record.op, RecordOp::kDelete);
  EXPECT_EQ(record.key, "gone");
  EXPECT_EQ(record.value, "");
  EXPECT_EQ(record.expiry, Expiry());

  ASSERT_TRUE(*reader.Next(&record));
  EXPECT_EQ(record.op, RecordOp::kExpire);
  EXPECT_EQ(record.expiry, Expiry());

  ASSERT_TRUE(*reader.Next(&record));
  EXPECT_EQ(record.op, RecordOp::kTransaction);
  EXPECT_EQ(record.transaction_id, 7u);
  EXPECT_EQ(record.transaction_records, 2u);
  EXPECT_THAT(record.participants, ElementsAre(ShardId(1), ShardId(3)));

  ASSERT_TRUE(*reader.Next(&record));
  EXPECT_EQ(record.op, RecordOp::kSetRange);
  EXPECT_EQ(record.offset, 70000u);
  EXPECT_EQ(record.value.size(), 300u);

  ASSERT_TRUE(*reader.Next(&record));
  EXPECT_EQ(record.op, RecordOp::kFlush);
  EXPECT_FALSE(*reader.Next(&record));
  EXPECT_FALSE(*reader.Next(&record));
}

// What a random record was made of, to compare with what is read.
struct Expected {
  RecordOp op;
  std::string key, value;
  Expiry expiry;
  uint64_t offset = 0;
};

Expiry RandomExpiry(std::mt19937_64& random) {
  const auto some_ms = [&random] { return static_cast<int64_t>(random() >> (2 + random() % 62)); };
  switch (random() % 4) {
    case 0:
      return {};
    case 1:
      return {1 + some_ms()};
    case 2:
      return Expiry::OfUseAt(some_ms(), {.idle_ms = 1 + some_ms(), .stale_ms = 0, .hard_at_ms = 0});
    default:
      return Expiry::OfUseAt(
          some_ms(),
          {.idle_ms = some_ms(), .stale_ms = 1 + some_ms(), .hard_at_ms = 1 + some_ms()});
  }
}

TEST(RecordTest, RandomPayloadsRoundTripAndNoPrefixIsWhole) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::string payload;
    std::vector<Expected> expected;
    const int records = static_cast<int>(1 + random() % 8);
    for (int i = 0; i < records; ++i) {
      Expected e;
      e.key = std::string(random() % 200, static_cast<char>(random()));
      const std::string value(random() % 400, static_cast<char>(random()));
      const Expiry expiry = RandomExpiry(random);
      switch (random() % 5) {
        case 0:
          e.op = RecordOp::kSet, e.value = value, e.expiry = expiry;
          payload += SetBytes(e.key, value, expiry);
          break;
        case 1:
          e.op = RecordOp::kDelete;
          payload += DeleteBytes(e.key, static_cast<uint8_t>(random() % 3 * 2));
          break;
        case 2:
          e.op = RecordOp::kExpire, e.expiry = expiry;
          payload += ExpireBytes(e.key, expiry);
          break;
        case 3:
          e.op = RecordOp::kSetRange, e.value = value, e.offset = random() % (1 << 29) / 2;
          payload += SetRangeBytes(e.key, e.offset, value);
          break;
        default:
          e.op = RecordOp::kFlush, e.key = "";
          payload += FlushBytes();
      }
      expected.push_back(e);
    }
    RecordReader reader(FrameKind::kMutations, payload, static_cast<uint32_t>(records));
    Record record;
    for (const Expected& e : expected) {
      ASSERT_TRUE(*reader.Next(&record));
      EXPECT_EQ(record.op, e.op);
      EXPECT_EQ(record.key, e.key);
      EXPECT_EQ(record.value, e.value);
      EXPECT_EQ(record.expiry, e.expiry);
      EXPECT_EQ(record.offset, e.offset);
    }
    EXPECT_FALSE(*reader.Next(&record));
    for (size_t cut = 0; cut < payload.size(); cut += 1 + random() % 16) {
      const std::string exact = payload.substr(0, cut);  // So that asan sees a read past the cut.
      EXPECT_EQ(Check(exact, static_cast<uint32_t>(records)).code(), absl::StatusCode::kDataLoss);
    }
  }
}

struct DamageCase {
  std::string name;
  std::string payload;
  uint32_t records;
  std::string message;  // Part of it, with the byte's offset.
  FrameKind kind = FrameKind::kMutations;
};

class RecordDamageTest : public testing::TestWithParam<DamageCase> {};

TEST_P(RecordDamageTest, IsDataLossAtItsOffset) {
  const absl::Status status = Check(GetParam().payload, GetParam().records, GetParam().kind);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

std::vector<DamageCase> DamageCases() {
  const std::string set = SetBytes("k", "v");  // 6 bytes.
  const std::string huge_varint = Bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1});
  return {
      {"FewerRecordsThanSaid", set, 2, "byte 6 of a payload of 6: fewer records"},
      {"MoreBytesThanRecords", set + set, 1, "byte 6 of a payload of 12: bytes after"},
      {"UnknownOp", set + Bytes({9, 0, 0}), 2, "byte 6 of a payload of 9: unknown record op 9"},
      {"OpZero", Bytes({0, 0, 0}), 1, "unknown record op 0"},
      {"UnknownFlag", Bytes({1, 16, 0, 0}), 1, "byte 1 of a payload of 4: unknown flags 0x10"},
      {"FlagOfAnotherOp", Bytes({4, 1}), 1, "unknown flags 0x1 for record op 4"},
      {"TwoCauses", Bytes({2, 6, 0}), 1, "two causes"},
      {"KeyPastTheEnd", Bytes({2, 0, 5, 'a'}), 1, "a key or value that is cut"},
      {"ValuePastTheEnd", Bytes({1, 0, 1, 9, 'k', 'v'}), 1, "a key or value that is cut"},
      {"KeyAboveTheLimit", Bytes({2, 0, 0x81, 0x80, 0x80, 0x80, 2}), 1, "a length"},
      {"LengthOfTenBytes", Bytes({2, 0}) + huge_varint, 1, "a length"},
      {"LengthPadded", Bytes({2, 0, 0x81, 0x00, 'a'}), 1, "a length"},
      {"RangeEndsAboveTheLimit", Bytes({6, 0, 0, 0x80, 0x80, 0x80, 0x80, 2, 1, 'x'}), 1,
       "a length"},
      {"ExpiryOfZero", Bytes({3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 1, "an expiry"},
      {"ExpiryBefore1970", Bytes({3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}), 1, "an expiry"},
      {"ExpiryCut", Bytes({3, 1, 0, 1, 0, 0}), 1, "an expiry"},
      {"ExtrasOfNoExpiry", Bytes({3, 8, 0, 1, 0, 0}), 1, "extras of no expiry"},
      {"ExtrasCut", Bytes({3, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0}), 1, "an expiry that is cut"},
      {"ExtrasOfNothing", Bytes({3, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}), 1, "contradict"},
      {"ExtrasPadded", Bytes({3, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 0}), 1, "contradict"},
      {"StaleAfterNoMoment", Bytes({3, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0}), 1, "contradict"},
      {"GoneAfterTheLastMoment", Bytes({3, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 3, 5}), 1,
       "contradict"},
      {"StaleWithAnotherMoment", Bytes({3, 9, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 3, 5}), 1,
       "contradict"},
      {"StaleOverflows", Bytes({3, 9,    0,    9,    0,    0,    0,    0,    0,    0,    0,
                                1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1}),
       1, "contradict"},
      {"TransactionCutByTheFrame", TransactionBytes(1, 2, {0}) + set, 2, "that its frame cuts"},
      {"TransactionNested", TransactionBytes(1, 1, {0}) + TransactionBytes(2, 0, {0}), 2,
       "byte 6 of a payload of 12: a transaction within a transaction"},
      {"TransactionWithoutParticipants", TransactionBytes(1, 0, {}), 1, "without participants"},
      {"ParticipantsNotAscending", TransactionBytes(1, 0, {2, 2}), 1, "do not ascend"},
      {"ParticipantAboveTheLimit", TransactionBytes(1, 0, {1024}), 1, "above the limit"},
      {"DeleteInASnapshot", DeleteBytes("k"), 1, "in a snapshot chunk", FrameKind::kSnapshotChunk},
  };
}

INSTANTIATE_TEST_SUITE_P(All, RecordDamageTest, testing::ValuesIn(DamageCases()),
                         [](const auto& info) { return info.param.name; });

TEST(VarintTest, BoundariesRoundTripInTheirShortestForm) {
  for (int bits = 0; bits <= 64; ++bits) {
    for (const int delta : {-1, 0, 1}) {
      const uint64_t value = (bits == 64 ? 0 : uint64_t{1} << bits) + static_cast<uint64_t>(delta);
      char bytes[kMaxVarint64Bytes];
      const char* end = StoreVarint(bytes, value);
      EXPECT_EQ(static_cast<size_t>(end - bytes), VarintBytes(value));
      uint64_t read = 0;
      EXPECT_EQ(LoadVarint(bytes, end, std::numeric_limits<uint64_t>::max(), &read), end);
      EXPECT_EQ(read, value);
      EXPECT_EQ(LoadVarint(bytes, end - 1, std::numeric_limits<uint64_t>::max(), &read), nullptr);
      if (value > 0) {
        EXPECT_EQ(LoadVarint(bytes, end, value - 1, &read), nullptr);
      }
    }
  }
}

}  // namespace
}  // namespace tidemark
