// ContentDigest is a fingerprint of a set of keys with their types, values and absolute expiries.
// It does not depend on the order in which they are seen or on how they are spread over shards: two
// nodes with equal digests at the same watermarks hold the same data.
//
// It is the sum, modulo 2^128, of the XXH3 (128 bits, seed 0) of each entry's canonical encoding:
//
//   type: uint8   key_bytes: fixed64   expire_at_ms: fixed64 (0 if none)   key   value
//
// and of an entry whose expiry has extras (docs/expiry.md)
//
//   type + 128: uint8   key_bytes   expire_at_ms   idle_ms   stale_ms   hard_at_ms   key   value
//
// integers little-endian, fixed64 but for the type. A sum, and not an exclusive or, so that an
// entry seen twice does not vanish. It finds faults; it does not withstand someone who constructs
// collisions.

#ifndef TIDEMARK_CACHE_CONTENT_DIGEST_H_
#define TIDEMARK_CACHE_CONTENT_DIGEST_H_

#include <cstdint>
#include <string>

#include "cache/keyspace.h"

namespace tidemark::cache {

struct ContentDigest {
  uint64_t high = 0;
  uint64_t low = 0;
  uint64_t keys = 0;

  // The digest of both sets together. Requires: no key is in both.
  ContentDigest& operator+=(const ContentDigest& other);
  friend bool operator==(const ContentDigest&, const ContentDigest&) = default;

  // `high` then `low`, as 32 lower-case hexadecimal digits.
  std::string Hex() const;
};

ContentDigest DigestOf(const Entry& entry);

// Digests what a walk shows.
class ContentDigester final : public WalkVisitor {
 public:
  void OnEntry(const Entry& entry) override { digest_ += DigestOf(entry); }
  // Nobody who has the value has this digest: a loss shows.
  void OnUnreadable(const Entry& entry, const absl::Status& why) override { ++digest_.keys; }
  const ContentDigest& digest() const { return digest_; }

 private:
  ContentDigest digest_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_CONTENT_DIGEST_H_
