#include "cache/content_digest.h"

#include <fmt/format.h>

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tidemark::cache {
namespace {

constexpr size_t kMaxHeaderBytes = 17 + 3 * 8;
constexpr uint8_t kHasExtras = 128;
// Entries whose encoding is no longer are hashed in one call, which is far cheaper than a stream.
constexpr size_t kMaxOneCallBytes = 1024;

char* PutFixed64(char* out, uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) *out++ = static_cast<char>(number >> shift);
  return out;
}

char* PutBytes(char* out, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

char* PutHeader(char* out, const Entry& entry) {
  const auto type = static_cast<uint8_t>(entry.type());
  *out++ = static_cast<char>(entry.has_extras() ? type | kHasExtras : type);
  out = PutFixed64(out, entry.key().size());
  out = PutFixed64(out, static_cast<uint64_t>(entry.expire_at_ms()));
  if (!entry.has_extras()) return out;
  const TtlExtras extras = entry.expiry().extras;
  out = PutFixed64(out, static_cast<uint64_t>(extras.idle_ms));
  out = PutFixed64(out, static_cast<uint64_t>(extras.stale_ms));
  return PutFixed64(out, static_cast<uint64_t>(extras.hard_at_ms));
}

XXH128_hash_t Hash(const Entry& entry) {
  const std::string_view key = entry.key();
  const std::string_view value = entry.value();
  if (kMaxHeaderBytes + key.size() + value.size() <= kMaxOneCallBytes) {
    char encoded[kMaxOneCallBytes];
    const char* end = PutBytes(PutBytes(PutHeader(encoded, entry), key), value);
    return XXH3_128bits(encoded, static_cast<size_t>(end - encoded));
  }
  char header[kMaxHeaderBytes];
  const char* header_end = PutHeader(header, entry);
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, header, static_cast<size_t>(header_end - header));
  XXH3_128bits_update(&state, key.data(), key.size());
  XXH3_128bits_update(&state, value.data(), value.size());
  return XXH3_128bits_digest(&state);
}

}  // namespace

ContentDigest& ContentDigest::operator+=(const ContentDigest& other) {
  low += other.low;
  high += other.high + (low < other.low ? 1 : 0);
  keys += other.keys;
  return *this;
}

std::string ContentDigest::Hex() const { return fmt::format("{:016x}{:016x}", high, low); }

ContentDigest DigestOf(const Entry& entry) {
  const XXH128_hash_t hash = Hash(entry);
  return {.high = hash.high64, .low = hash.low64, .keys = 1};
}

}  // namespace tidemark::cache
