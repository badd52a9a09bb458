// The two comparisons of a lookup: a fingerprint with a whole bucket's, and a key with an entry's.
// Both are inline and call nothing, so that a lookup need not save registers.

#ifndef TIDEMARK_CACHE_BUCKET_SEARCH_H_
#define TIDEMARK_CACHE_BUCKET_SEARCH_H_

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cache/bucket_array.h"

namespace tidemark::cache {

// Bit i is set if slot i of the bucket has this fingerprint, which links and empty slots never
// have.
inline unsigned SlotsWith(const Bucket& bucket, uint64_t fingerprint) {
#ifdef __SSE2__
  // The upper halves of eight words, their upper bytes, and these as eight numbers of 16 bits.
  const auto* words = reinterpret_cast<const __m128*>(bucket.slots);
  constexpr int kUpperHalves = _MM_SHUFFLE(3, 1, 3, 1);
  const __m128i first = _mm_castps_si128(_mm_shuffle_ps(words[0], words[1], kUpperHalves));
  const __m128i second = _mm_castps_si128(_mm_shuffle_ps(words[2], words[3], kUpperHalves));
  const __m128i bytes = _mm_packs_epi32(_mm_srli_epi32(first, 24), _mm_srli_epi32(second, 24));
  const __m128i equal = _mm_cmpeq_epi16(bytes, _mm_set1_epi16(static_cast<int16_t>(fingerprint)));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#else
  unsigned result = 0;
  for (int i = 0; i < kSlotsPerBucket; ++i) {
    result |= static_cast<unsigned>(bucket.slots[i] >> 56 == fingerprint) << i;
  }
  return result;
#endif
}

// Inline and without calls: most keys are two words long, and a function that calls nothing need
// not save registers.
inline bool SameBytes(const char* a, const char* b, size_t size) {
  const auto word = [](const char* at) {
    uint64_t result;
    std::memcpy(&result, at, sizeof(result));
    return result;
  };
  if (size < sizeof(uint64_t)) {
    for (size_t i = 0; i < size; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  // The last word may overlap the one before it.
  const size_t last = size - sizeof(uint64_t);
  for (size_t i = 0; i < last; i += sizeof(uint64_t)) {
    if (word(a + i) != word(b + i)) return false;
  }
  return word(a + last) == word(b + last);
}

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_BUCKET_SEARCH_H_
