// RateMeter turns a growing total into "per second", averaged over the last samples (INFO's
// instantaneous_ fields).
//
// Threading: Sample() on one thread; per_second() on any.

#ifndef TIDEMARK_SERVER_RATE_METER_H_
#define TIDEMARK_SERVER_RATE_METER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tidemark::server {

class RateMeter {
 public:
  void Sample(int64_t now_ns, uint64_t total) {
    Point& oldest = points_[next_];
    if (oldest.at_ns != 0 && now_ns > oldest.at_ns) {
      per_second_.store(static_cast<double>(total - oldest.total) * 1e9 /
                            static_cast<double>(now_ns - oldest.at_ns),
                        std::memory_order_relaxed);
    }
    oldest = {now_ns, total};
    next_ = (next_ + 1) % points_.size();
  }

  double per_second() const { return per_second_.load(std::memory_order_relaxed); }

 private:
  struct Point {
    int64_t at_ns = 0;
    uint64_t total = 0;
  };
  std::array<Point, 16> points_;
  size_t next_ = 0;
  std::atomic<double> per_second_{0};
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_RATE_METER_H_
