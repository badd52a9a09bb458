#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tidemark {
namespace {

using crc32c_internal::CpuHasCrc32c;
using crc32c_internal::HardwareCrc32c;
using crc32c_internal::PortableCrc32c;

struct Vector {
  std::string_view name;
  std::string bytes;
  uint32_t crc;
};

std::string Counting(int from, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(from + i * step));
  return bytes;
}

// RFC 3720, appendix B.4, where the checksums stand in wire order; and the usual check of CRC
// catalogues.
std::vector<Vector> Vectors() {
  constexpr char kReadCommand[] =
      "\x01\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x14\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x14\x00\x00\x00\x18"
      "\x28\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00";
  return {
      {"Zeros", std::string(32, '\0'), 0x8a9136aa},
      {"Ones", std::string(32, '\xff'), 0x62a8ab43},
      {"Incrementing", Counting(0, 1), 0x46dd794e},
      {"Decrementing", Counting(31, -1), 0x113fdb5c},
      {"IscsiReadCommand", std::string(kReadCommand, sizeof(kReadCommand) - 1), 0xd9963a56},
      {"Digits", "123456789", 0xe3069283},
      {"Nothing", "", 0},
  };
}

std::string RandomBytes(size_t size, std::mt19937_64& random) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(Crc32cTest, GivesTheChecksumsOfTheRfc) {
  for (const Vector& vector : Vectors()) {
    EXPECT_EQ(Crc32c(vector.bytes), vector.crc) << vector.name;
    EXPECT_EQ(PortableCrc32c(vector.bytes, 0), vector.crc) << vector.name;
  }
}

TEST(Crc32cTest, HardwareAndTablesAgreeAtEveryLengthAndAlignment) {
  if (!CpuHasCrc32c()) GTEST_SKIP() << "this CPU has no CRC32 instruction";
  std::mt19937_64 random(20);
  const std::string bytes = RandomBytes(20'000, random);
  // Every length around the borders of words and lanes, then whatever comes.
  for (size_t size = 0; size < 900; ++size) {
    for (size_t offset = 0; offset < 8; ++offset) {
      const std::string_view part = std::string_view(bytes).substr(offset, size);
      ASSERT_EQ(HardwareCrc32c(part, 0), PortableCrc32c(part, 0)) << offset << " + " << size;
    }
  }
  for (int round = 0; round < 500; ++round) {
    const size_t offset = random() % bytes.size();
    const std::string_view part = std::string_view(bytes).substr(offset, random() % bytes.size());
    const uint32_t start = static_cast<uint32_t>(random());
    ASSERT_EQ(HardwareCrc32c(part, start), PortableCrc32c(part, start))
        << offset << " + " << part.size() << " from " << start;
  }
}

TEST(Crc32cTest, ExtendsAChecksumByWhatFollows) {
  std::mt19937_64 random(21);
  const std::string bytes = RandomBytes(9'000, random);
  for (size_t cut : {0, 1, 7, 8, 383, 384, 6143, 6144, 6145, 9'000}) {
    const std::string_view head = std::string_view(bytes).substr(0, cut);
    const std::string_view tail = std::string_view(bytes).substr(cut);
    EXPECT_EQ(Crc32c(tail, Crc32c(head)), Crc32c(bytes)) << cut;
    EXPECT_EQ(PortableCrc32c(tail, PortableCrc32c(head, 0)), Crc32c(bytes)) << cut;
  }
}

TEST(Crc32cTest, SeesEveryFlippedBit) {
  std::string bytes = "a frame of a few records";
  const uint32_t intact = Crc32c(bytes);
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_NE(Crc32c(bytes), intact) << bit;
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
  }
}

}  // namespace
}  // namespace tidemark
