// Little-endian integers and varints at a pointer: the alphabet of docs/formats/.
//
// Writers return the end of what they wrote; the caller has made room. Readers take a [p, end)
// range and return null where it holds no whole, minimal encoding.

#ifndef TIDEMARK_BASE_FORMAT_CODING_H_
#define TIDEMARK_BASE_FORMAT_CODING_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidemark {

static_assert(std::endian::native == std::endian::little,
              "a big-endian port swaps bytes in LoadFixed and StoreFixed, and nowhere else");

template <std::unsigned_integral T>
inline T LoadFixed(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

template <std::unsigned_integral T>
inline char* StoreFixed(char* p, T value) {
  std::memcpy(p, &value, sizeof(value));
  return p + sizeof(value);
}

// Seven bits a byte, least significant first; the top bit says that more follow.
inline constexpr size_t kMaxVarint32Bytes = 5;
inline constexpr size_t kMaxVarint64Bytes = 10;

inline char* StoreVarint(char* p, uint64_t value) {
  while (value >= 0x80) {
    *p++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *p++ = static_cast<char>(value);
  return p;
}

constexpr size_t VarintBytes(uint64_t value) {
  return static_cast<size_t>(std::bit_width(value | 1) + 6) / 7;
}

// Null also for a value above `max` and for an encoding longer than it need be: a payload then has
// one encoding only, and equal streams have equal digests.
inline const char* LoadVarint(const char* p, const char* end, uint64_t max, uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; p != end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*p++);
    if (shift == 63 && byte > 1) return nullptr;
    result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if ((byte == 0 && shift != 0) || result > max) return nullptr;
      *value = result;
      return p;
    }
    if (shift == 63) return nullptr;
  }
  return nullptr;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FORMAT_CODING_H_
