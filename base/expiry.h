// Expiry is until when a key lives: the moment at which it goes, and what moves that moment or
// divides the time before it (docs/expiry.md).
//
// The moment alone decides whether a key is there. Who knows nothing of extras reads it and is
// right; the extras tell the primary when to renew it, and how to answer a client meanwhile.

#ifndef TIDEMARK_BASE_EXPIRY_H_
#define TIDEMARK_BASE_EXPIRY_H_

#include <algorithm>
#include <cstdint>
#include <limits>

namespace tidemark {

struct TtlExtras {
  int64_t idle_ms = 0;     // The key goes so long after its last use; 0: use does not count.
  int64_t stale_ms = 0;    // So long the value is served as stale after hard_at_ms; 0: not at all.
  int64_t hard_at_ms = 0;  // Since 1970: how long the value is fresh; 0: as long as it is there.

  constexpr bool any() const { return (idle_ms | stale_ms) != 0; }
  // The moment at which the key goes however often it is used.
  constexpr int64_t last_moment_ms() const {
    return hard_at_ms == 0 ? std::numeric_limits<int64_t>::max() : hard_at_ms + stale_ms;
  }
  friend constexpr bool operator==(const TtlExtras&, const TtlExtras&) = default;
};

struct Expiry {
  int64_t at_ms = 0;  // Since 1970; 0: never.
  TtlExtras extras;

  constexpr Expiry() = default;
  // A moment without extras, as most are: implicit, so that a plain number serves as one.
  constexpr Expiry(int64_t moment_ms) : at_ms(moment_ms) {}  // NOLINT(google-explicit-constructor)
  constexpr Expiry(int64_t moment_ms, const TtlExtras& with) : at_ms(moment_ms), extras(with) {}

  // What these extras make of a key that was used at now_ms. Requires: extras.any(), and no
  // negative numbers; hard_at_ms + stale_ms does not overflow.
  static constexpr Expiry OfUseAt(int64_t now_ms, const TtlExtras& extras) {
    int64_t at_ms = extras.last_moment_ms();
    int64_t idle_at_ms = 0;
    if (extras.idle_ms != 0 && !__builtin_add_overflow(now_ms, extras.idle_ms, &idle_at_ms)) {
      at_ms = std::min(at_ms, idle_at_ms);
    }
    return {at_ms, extras};
  }

  // Whether somebody may have meant it: what is stored or received is asked this.
  constexpr bool IsSound() const {
    if (!extras.any()) return at_ms >= 0 && extras.hard_at_ms == 0;
    if (extras.idle_ms < 0 || extras.stale_ms < 0 || extras.hard_at_ms < 0) return false;
    if (extras.stale_ms > std::numeric_limits<int64_t>::max() - extras.hard_at_ms) return false;
    if (extras.stale_ms != 0 && extras.hard_at_ms == 0) return false;
    const int64_t last_ms = extras.last_moment_ms();
    return at_ms > 0 && (extras.idle_ms != 0 ? at_ms <= last_ms : at_ms == last_ms);
  }

  friend constexpr bool operator==(const Expiry&, const Expiry&) = default;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_EXPIRY_H_
