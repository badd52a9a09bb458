// ByteBudget paces work at so many bytes a second (a token bucket). A piece of work is let through
// while the balance is above zero and may then overdraw it, so that one that is larger than the
// bucket is merely followed by a longer pause.
//
// Threading: one thread at a time. `now` is passed in, monotonic.

#ifndef TIDEMARK_TIER_BYTE_BUDGET_H_
#define TIDEMARK_TIER_BYTE_BUDGET_H_

#include <algorithm>
#include <cstdint>

namespace tidemark::tier {

class ByteBudget {
 public:
  // 0: no limit. What is not spent is saved for a tenth of a second, and no longer: a pause must
  // not be followed by a burst that the disk feels.
  explicit ByteBudget(uint64_t bytes_per_second)
      : per_second_(static_cast<int64_t>(std::min(bytes_per_second, kMaxPerSecond))),
        most_(std::max<int64_t>(per_second_ / 10, 1)),
        balance_(most_) {}

  bool MaySpend(int64_t now_ns) {
    if (per_second_ == 0) return true;
    Refill(now_ns);
    return balance_ > 0;
  }

  // Debt is forgiven beyond one second's worth: work that may not be refused must not keep out all
  // other for long.
  void Spend(uint64_t bytes, int64_t now_ns) {
    if (per_second_ == 0) return;
    Refill(now_ns);
    balance_ -= static_cast<int64_t>(std::min(bytes, kMaxPerSecond));
    balance_ = std::max(balance_, -per_second_);
  }

  // Until MaySpend(); 0: now.
  int64_t NanosUntilMaySpend(int64_t now_ns) {
    if (MaySpend(now_ns)) return 0;
    return (1 - balance_) * kSecondNanos / per_second_ + 1;
  }

 private:
  static constexpr int64_t kSecondNanos = 1'000'000'000;
  // So that two seconds of it, times the nanoseconds of a second, fit an int64_t.
  static constexpr uint64_t kMaxPerSecond = uint64_t{4} << 30;

  void Refill(int64_t now_ns) {
    const int64_t elapsed_ns = now_ns - last_ns_;
    if (elapsed_ns < 0 || elapsed_ns > 2 * kSecondNanos) {  // The first call, a long pause.
      balance_ = elapsed_ns > 0 ? most_ : balance_;
      last_ns_ = now_ns;
      return;
    }
    const int64_t earned = elapsed_ns * per_second_ / kSecondNanos;
    balance_ = std::min(balance_ + earned, most_);
    last_ns_ += earned * kSecondNanos / per_second_;  // What is not yet worth a byte is kept.
  }

  const int64_t per_second_;
  const int64_t most_;
  int64_t balance_;
  int64_t last_ns_ = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_BYTE_BUDGET_H_
