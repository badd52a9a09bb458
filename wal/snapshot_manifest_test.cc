#include "wal/snapshot_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "wal/format/envelope.h"
#include "wal/snapshot_manifest.pb.h"

namespace tidemark::wal {
namespace {

SnapshotManifest Example() {
  return {.directory = DirectoryId(0x1122334455667788),
          .number = 3,
          .history = HistoryId(7),
          .first_segment = 9,
          .begun_at_ms = 1000,
          .completed_at_ms = 2000,
          .shards = {{.watermark = {.sequence = Sequence(10), .digest = 0xabcd},
                      .complete_at = Sequence(12),
                      .keys = 5,
                      .chunks = 2,
                      .file_bytes = 300,
                      .file_crc32c = 0x01020304},
                     {.watermark = {},
                      .complete_at = Sequence(),
                      .keys = 0,
                      .chunks = 1,
                      .file_bytes = 68,
                      .file_crc32c = 0}}};
}

TEST(SnapshotManifestTest, ComesBackAsItWas) {
  const auto decoded = DecodeSnapshotManifest(EncodeSnapshotManifest(Example()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, Example());
  EXPECT_EQ(decoded->keys(), 5u);
  EXPECT_EQ(decoded->bytes(), 368u);
  EXPECT_EQ(decoded->complete_at(), (Watermarks{Sequence(12), Sequence()}));
  EXPECT_EQ(decoded->watermarks()[0].digest, 0xabcdu);
}

TEST(SnapshotManifestTest, AnyFlippedBitIsDataLoss) {
  const std::string file = EncodeSnapshotManifest(Example());
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(DecodeSnapshotManifest(damaged).ok()) << "bit " << bit;
  }
  for (size_t bytes = 0; bytes < file.size(); ++bytes) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeSnapshotManifest(file.substr(0, bytes)).status())) << bytes;
  }
}

TEST(SnapshotManifestTest, NewerVersionIsToldFromDamage) {
  proto::SnapshotManifest message;
  message.set_version(2);
  const auto decoded =
      DecodeSnapshotManifest(Seal(EnvelopeKind::kSnapshotManifest, message.SerializeAsString()));
  EXPECT_TRUE(absl::IsInvalidArgument(decoded.status())) << decoded.status();
}

struct BadCase {
  std::string name;
  std::function<void(proto::SnapshotManifest&)> spoil;
};
class BadManifestTest : public testing::TestWithParam<BadCase> {};

// Sealed rightly, so that only what it says is wrong.
TEST_P(BadManifestTest, IsDataLoss) {
  const std::string good = EncodeSnapshotManifest(Example());
  proto::SnapshotManifest message;
  const auto inside = Unseal(EnvelopeKind::kSnapshotManifest, good);
  ASSERT_TRUE(inside.ok() && message.ParseFromString(std::string(*inside)));
  GetParam().spoil(message);
  const auto decoded =
      DecodeSnapshotManifest(Seal(EnvelopeKind::kSnapshotManifest, message.SerializeAsString()));
  EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << decoded.status();
}

INSTANTIATE_TEST_SUITE_P(
    All, BadManifestTest,
    testing::ValuesIn(std::vector<BadCase>{
        {"NoDirectory", [](auto& m) { m.clear_directory_id(); }},
        {"NoNumber", [](auto& m) { m.clear_number(); }},
        {"NoHistory", [](auto& m) { m.clear_history(); }},
        {"NoSegment", [](auto& m) { m.clear_first_segment(); }},
        {"NoShards", [](auto& m) { m.clear_shards(); }},
        {"TooManyShards",
         [](auto& m) {
           while (m.shards_size() <= kMaxShards) *m.add_shards() = m.shards(0);
         }},
        {"CompleteBeforeWatermark", [](auto& m) { m.mutable_shards(0)->set_complete_at(9); }},
        {"NoChunk", [](auto& m) { m.mutable_shards(1)->set_chunks(0); }},
        {"MoreChunksThanBytes", [](auto& m) { m.mutable_shards(0)->set_chunks(UINT64_MAX); }},
    }),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tidemark::wal
