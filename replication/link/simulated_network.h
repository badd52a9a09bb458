// A network and a clock for tests: virtual time, connections whose bytes arrive late and in pieces,
// and faults on demand. Everything is decided by one seed.

#ifndef TIDEMARK_REPLICATION_LINK_SIMULATED_NETWORK_H_
#define TIDEMARK_REPLICATION_LINK_SIMULATED_NETWORK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::replication {

// Runs events in the order of their virtual times.
class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {}

  int64_t now_us() const { return now_us_; }
  int64_t now_ms() const { return now_us_ / 1'000; }
  void In(int64_t delay_us, std::function<void()> event) {
    events_.push({now_us_ + delay_us, next_++, std::move(event)});
  }
  void RunUntil(int64_t end_us) {
    while (!events_.empty() && events_.top().at_us <= end_us) {
      // Moving the top leaves its order, by which alone the queue then removes it.
      Event event = std::move(const_cast<Event&>(events_.top()));
      events_.pop();
      now_us_ = event.at_us;
      event.run();
    }
    now_us_ = end_us;
  }

  // Uniform, both ends included.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
  }
  bool Chance(int percent) { return Between(1, 100) <= percent; }

 private:
  struct Event {
    int64_t at_us;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return std::pair(at_us, order) > std::pair(other.at_us, other.order);
    }
  };
  std::mt19937_64 random_;
  int64_t now_us_ = 1'000'000;
  uint64_t next_ = 0;
  std::priority_queue<Event> events_;
};

// One end of a connection, as a node sees it.
struct EndPoint {
  std::function<void(std::string_view)> on_bytes;
  std::function<void()> on_writable;  // Some of what was written has been read.
  std::function<void()> on_closed;    // By the other end or by a fault. The last call.
};

// A TCP connection between end 0 and end 1.
class SimulatedConnection : public std::enable_shared_from_this<SimulatedConnection> {
 public:
  explicit SimulatedConnection(Simulation* sim) : sim_(sim) {}

  void Attach(int end, EndPoint point) { ends_[end].point = std::move(point); }
  // Takes as much as the window allows; the count.
  size_t Write(int end, std::string_view bytes);
  // The end closes: what it wrote still arrives, then the other end hears of it.
  void Close(int end);
  void SetReading(int end, bool reading);

  // --- Faults ---
  void Cut();  // Both ends hear of it, soon. What is on its way is lost.
  // Nothing arrives any more, and nobody hears of it.
  void LoseSilently() { lost_[0] = lost_[1] = true; }
  // As above, but only what this end writes is lost.
  void LoseSilentlyFrom(int end) { lost_[end] = true; }
  void CorruptNext(int end) { ends_[end].corrupt_next = true; }  // A bit of what it writes next.
  void SlowDown(int end, int64_t delay_us) {
    ends_[end].extra_delay_us = delay_us;
  }  // Of its bytes.
  bool open() const { return !closed_; }

 private:
  static constexpr size_t kWindowBytes = 16 << 10;

  struct End {
    EndPoint point;
    int64_t last_arrival_us = 0;  // Of what it wrote.
    size_t unread_bytes = 0;      // Of what it wrote.
    int64_t extra_delay_us = 0;
    bool corrupt_next = false;
    bool reading = true;
    bool detached = false;  // Closed here, or told that it is closed.
    std::string waiting;    // Arrived while it was not reading.
  };
  void Arrive(int from, std::string bytes);
  void Deliver(int to, const std::string& bytes);
  void TellClosed(int end);

  Simulation* const sim_;
  End ends_[2];
  bool lost_[2] = {false, false};  // By the end that writes.
  bool closed_ = false;
};

inline size_t SimulatedConnection::Write(int end, std::string_view bytes) {
  End& from = ends_[end];
  if (from.detached) return 0;
  const size_t taken = std::min(bytes.size(), kWindowBytes - from.unread_bytes);
  size_t at = 0;
  while (at < taken) {
    const size_t piece = std::min<size_t>(taken - at, static_cast<size_t>(sim_->Between(1, 3'000)));
    std::string copy(bytes.substr(at, piece));
    if (std::exchange(from.corrupt_next, false)) {
      copy[static_cast<size_t>(sim_->Between(0, static_cast<int64_t>(piece) - 1))] ^= 0x10;
    }
    at += piece;
    from.last_arrival_us = std::max(
        from.last_arrival_us + 1, sim_->now_us() + sim_->Between(20, 2'000) + from.extra_delay_us);
    sim_->In(from.last_arrival_us - sim_->now_us(),
             [self = shared_from_this(), end, copy = std::move(copy)] { self->Arrive(end, copy); });
  }
  from.unread_bytes += taken;
  return taken;
}

inline void SimulatedConnection::Arrive(int from, std::string bytes) {
  if (lost_[from]) return;
  End& to = ends_[1 - from];
  if (to.detached) return;
  // What has waited is delivered first: bytes of one connection are never reordered.
  if (!to.reading || !to.waiting.empty()) {
    to.waiting += bytes;
    return;
  }
  Deliver(1 - from, bytes);
}

inline void SimulatedConnection::Deliver(int to, const std::string& bytes) {
  ends_[1 - to].unread_bytes -= bytes.size();
  const auto self = shared_from_this();  // A callback may let go of us.
  ends_[to].point.on_bytes(bytes);
  if (!ends_[1 - to].detached) ends_[1 - to].point.on_writable();
}

inline void SimulatedConnection::SetReading(int end, bool reading) {
  End& to = ends_[end];
  to.reading = reading;
  if (!reading || to.waiting.empty()) return;
  sim_->In(1, [self = shared_from_this(), end] {
    End& later = self->ends_[end];
    if (later.detached || !later.reading || later.waiting.empty()) return;
    self->Deliver(end, std::exchange(later.waiting, ""));
  });
}

inline void SimulatedConnection::Close(int end) {
  End& from = ends_[end];
  if (from.detached) return;
  from.detached = true;
  closed_ = true;
  if (lost_[end]) return;
  const int64_t after_us = std::max<int64_t>(from.last_arrival_us - sim_->now_us(), 0) + 10;
  sim_->In(after_us, [self = shared_from_this(), end] { self->TellClosed(1 - end); });
}

inline void SimulatedConnection::Cut() {
  LoseSilently();
  closed_ = true;
  for (int end = 0; end < 2; ++end) {
    sim_->In(sim_->Between(0, 5'000), [self = shared_from_this(), end] { self->TellClosed(end); });
  }
}

inline void SimulatedConnection::TellClosed(int end) {
  if (std::exchange(ends_[end].detached, true)) return;
  closed_ = true;
  ends_[end].point.on_closed();
}

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_SIMULATED_NETWORK_H_
