#include "base/crc32c.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#define TIDEMARK_TARGET_CRC __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define TIDEMARK_TARGET_CRC __attribute__((target("+crc")))
#endif

namespace tidemark::crc32c_internal {
namespace {

// The words below are read as little-endian numbers straight from memory.
static_assert(std::endian::native == std::endian::little);

// A checksum is a polynomial over GF(2) of degree below 32, modulo the Castagnoli polynomial, with
// its coefficients in reflected order: bit 31 stands for x^0, bit 0 for x^31.
constexpr uint32_t kPolynomial = 0x82f63b78;
constexpr uint32_t kOne = uint32_t{1} << 31;

constexpr uint32_t TimesX(uint32_t a) { return (a & 1) != 0 ? (a >> 1) ^ kPolynomial : a >> 1; }

constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = TimesX(b);
  }
  return product;
}

constexpr uint32_t PowerOfX(size_t exponent) {
  uint32_t result = kOne;
  for (uint32_t square = TimesX(kOne); exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = Multiply(result, square);
    square = Multiply(square, square);
  }
  return result;
}

// table[k][b]: what byte b does to the state when k bytes follow it.
constexpr auto kSlices = [] {
  std::array<std::array<uint32_t, 256>, 8> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = TimesX(state);
    table[0][byte] = state;
  }
  for (size_t k = 1; k < table.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t shorter = table[k - 1][byte];
      table[k][byte] = (shorter >> 8) ^ table[0][shorter & 0xff];
    }
  }
  return table;
}();

uint64_t LoadWord(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace

uint32_t PortableCrc32c(std::string_view bytes, uint32_t crc) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint32_t state = ~crc;
  // "Slicing by 8" (Kounavis and Berry, 2005): eight independent look-ups for eight bytes.
  for (; left >= 8; at += 8, left -= 8) {
    const uint64_t word = LoadWord(at) ^ state;
    state = 0;
    for (size_t i = 0; i < 8; ++i) state ^= kSlices[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; left > 0; ++at, --left) {
    state = (state >> 8) ^ kSlices[0][(state ^ static_cast<uint8_t>(*at)) & 0xff];
  }
  return ~state;
}

#ifdef TIDEMARK_TARGET_CRC

namespace {

// What `Bytes` zero bytes do to a state: multiplication by x^(8 * Bytes), a table for each byte of
// it.
template <size_t Bytes>
constexpr auto kSkip = [] {
  const uint32_t factor = PowerOfX(8 * Bytes);
  std::array<std::array<uint32_t, 256>, 4> table{};
  for (size_t k = 0; k < 4; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) table[k][byte] = Multiply(byte << (8 * k), factor);
  }
  return table;
}();

template <size_t Bytes>
uint32_t Skip(uint32_t state) {
  return kSkip<Bytes>[0][state & 0xff] ^ kSkip<Bytes>[1][(state >> 8) & 0xff] ^
         kSkip<Bytes>[2][(state >> 16) & 0xff] ^ kSkip<Bytes>[3][state >> 24];
}

TIDEMARK_TARGET_CRC inline uint32_t AddWord(uint32_t state, uint64_t word) {
#if defined(__x86_64__)
  return static_cast<uint32_t>(_mm_crc32_u64(state, word));
#else
  return __crc32cd(state, word);
#endif
}

TIDEMARK_TARGET_CRC inline uint32_t AddByte(uint32_t state, uint8_t byte) {
#if defined(__x86_64__)
  return _mm_crc32_u8(state, byte);
#else
  return __crc32cb(state, byte);
#endif
}

// The instruction answers after three cycles but one can start in each, so three lanes of `Lane`
// bytes run side by side; their states are then put together as if the later lanes had been zeros.
template <size_t Lane>
TIDEMARK_TARGET_CRC uint32_t AddLanes(uint32_t state, const char*& at, size_t& left) {
  while (left >= 3 * Lane) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (const char* const end = at + Lane; at != end; at += 8) {
      state = AddWord(state, LoadWord(at));
      second = AddWord(second, LoadWord(at + Lane));
      third = AddWord(third, LoadWord(at + 2 * Lane));
    }
    state = Skip<Lane>(Skip<Lane>(state) ^ second) ^ third;
    at += 2 * Lane;
    left -= 3 * Lane;
  }
  return state;
}

}  // namespace

TIDEMARK_TARGET_CRC uint32_t HardwareCrc32c(std::string_view bytes, uint32_t crc) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint32_t state = ~crc;
  state = AddLanes<2048>(state, at, left);
  state = AddLanes<128>(state, at, left);
  for (; left >= 8; at += 8, left -= 8) state = AddWord(state, LoadWord(at));
  for (; left > 0; ++at, --left) state = AddByte(state, static_cast<uint8_t>(*at));
  return ~state;
}

bool CpuHasCrc32c() {
#if defined(__x86_64__)
  // Not __builtin_cpu_supports: its table is libgcc's, which link-time optimisation does not find.
  static const bool has = [] {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4_2) != 0;
  }();
  return has;
#else
  static const bool has = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
  return has;
#endif
}

#else

uint32_t HardwareCrc32c(std::string_view bytes, uint32_t crc) { return PortableCrc32c(bytes, crc); }

bool CpuHasCrc32c() { return false; }

#endif

}  // namespace tidemark::crc32c_internal

namespace tidemark {

uint32_t Crc32c(std::string_view bytes, uint32_t crc) {
  return crc32c_internal::CpuHasCrc32c() ? crc32c_internal::HardwareCrc32c(bytes, crc)
                                         : crc32c_internal::PortableCrc32c(bytes, crc);
}

}  // namespace tidemark
