// SpscRing is a bounded queue from one thread to one other, without locks: the shards' mesh, and
// the way of frames from a shard to a subscriber.
//
//   SpscRing<BufferRef> ring(1024);
//   if (!ring.TryPush(std::move(frame))) ...;  // Full: `frame` is still ours.
//   BufferRef frame; while (ring.TryPop(frame)) ...;
//
// Threading: one thread pushes (the producer), one pops (the consumer); size_approx() and
// capacity() are for any. Waking a consumer that sleeps is the caller's (base/parking.h).

#ifndef TIDEMARK_BASE_SPSC_RING_H_
#define TIDEMARK_BASE_SPSC_RING_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "base/cache_line.h"
#include "base/check.h"

namespace tidemark {

template <typename T>
class SpscRing {
 public:
  // Requires: `capacity` is a power of two.
  explicit SpscRing(size_t capacity)
      : mask_(capacity - 1), slots_(std::make_unique<Slot[]>(capacity)) {
    CHECK(std::has_single_bit(capacity));
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;
  // Destroys what was not popped. Requires: neither side is in a call.
  ~SpscRing() {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    for (size_t i = head_.load(std::memory_order_relaxed); i != tail; ++i) SlotAt(i)->~T();
  }

  // False if the ring is full; `value` is then untouched. Producer only.
  bool TryPush(T&& value) {
    const size_t tail = tail_.load(std::memory_order_relaxed);  // Ours: nobody else writes it.
    if (tail - cached_head_ > mask_) {
      // Acquire: the consumer moved the old value out of the slot before it let go of it.
      cached_head_ = head_.load(std::memory_order_acquire);
      if (tail - cached_head_ > mask_) return false;
    }
    new (slots_[tail & mask_].bytes) T(std::move(value));
    // Release: whoever sees the new tail sees the value.
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // False if the ring is empty; `value` is then untouched. Consumer only.
  bool TryPop(T& value) {
    const size_t head = head_.load(std::memory_order_relaxed);  // Ours: nobody else writes it.
    if (head == cached_tail_) {
      // Acquire: pairs with the producer's release of the value.
      cached_tail_ = tail_.load(std::memory_order_acquire);
      if (head == cached_tail_) return false;
    }
    T* slot = SlotAt(head);
    value = std::move(*slot);
    slot->~T();
    // Release: we are done with the slot before the producer may build in it.
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // What the ring holds: exact for the two threads while the other rests, otherwise a moment old.
  size_t size_approx() const {
    // The head first: it never passes the tail, so the difference cannot wrap below zero. It may
    // have moved on before the tail is read, which can count one ring too many.
    const size_t head = head_.load(std::memory_order_acquire);
    const size_t size = tail_.load(std::memory_order_acquire) - head;
    return size <= mask_ ? size : mask_ + 1;
  }
  size_t capacity() const { return mask_ + 1; }

 private:
  struct Slot {
    alignas(T) std::byte bytes[sizeof(T)];
  };
  T* SlotAt(size_t index) {
    return std::launder(reinterpret_cast<T*>(slots_[index & mask_].bytes));
  }

  // Indices only grow and wrap at 2^64; a slot is an index modulo the capacity. Each side keeps the
  // last it saw of the other's index, and looks again only when that says full or empty: most calls
  // touch no line that the other core writes.
  const size_t mask_;
  const std::unique_ptr<Slot[]> slots_;
  alignas(kCacheLineBytes) std::atomic<size_t> tail_{0};  // Next to write. Producer's line.
  size_t cached_head_ = 0;
  alignas(kCacheLineBytes) std::atomic<size_t> head_{0};  // Next to read. Consumer's line.
  size_t cached_tail_ = 0;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SPSC_RING_H_
