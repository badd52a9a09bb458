// Parker is the agreement between a thread that sleeps when it has nothing to do and the threads
// that give it work, such that no work is left lying beside a sleeper. It does no I/O: the wait and
// the signal are the caller's (an eventfd, a condition variable).
//
//   The owner                                    A sender
//     if (spin.ShouldPark(found_work)) {           push the work
//       parker.PublishParked();                    if (parker.NeedsWake()) signal
//       if (!look at every source once more)
//         wait for the signal
//       parker.ClearParked();
//       look at every source
//     }
//
// Why nothing is lost: each side writes, fences, then reads what the other wrote. Of the two fences
// one comes first in the single order of all fences, so either the owner's second look sees the
// work or the sender sees `parked`. Without a fence, or without the second look, both may miss:
// parking_model_test.cc runs through every interleaving and shows it.
//
// The signal must be sticky: one that comes before the wait, or when nobody waits, ends the next
// wait. Such a stray signal happens (a sender may be slow to signal after it claimed the wake) and
// costs one turn.

#ifndef TIDEMARK_BASE_PARKING_H_
#define TIDEMARK_BASE_PARKING_H_

#include <atomic>

#include "base/cache_line.h"

namespace tidemark {

class Parker {
 public:
  // Owner: from here a sender may signal. Look at every source once more before waiting.
  void PublishParked() {
    parked_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }

  // Owner: awake again, whether it waited or not. Look at every source after this, not before.
  void ClearParked() { parked_.store(false, std::memory_order_relaxed); }

  // Sender, any thread, after its push: true if it must signal. At most one sender gets true for
  // each PublishParked(), however many push meanwhile.
  bool NeedsWake() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // The plain read keeps the line shared while the owner is awake, which is nearly always.
    if (!parked_.load(std::memory_order_relaxed)) return false;
    return parked_.exchange(false, std::memory_order_relaxed);
  }

 private:
  // On a line of its own: every sender reads it after every push.
  alignas(kCacheLineBytes) std::atomic<bool> parked_{false};
};

// SpinPolicy decides how many turns without work its owner spins before it parks. Spinning saves
// the microseconds of a wake, but on a core that another busy thread needs it only delays the work
// that would end the wait; there the limit is zero. Owner's thread only.
class SpinPolicy {
 public:
  // `usable_cores`: see UsableCores(). `busy_threads`: those of the process that may all want a
  // core.
  SpinPolicy(int spin_limit, int usable_cores, int busy_threads) {
    Adapt(spin_limit, usable_cores, busy_threads);
  }

  // The setting or the machine changed.
  void Adapt(int spin_limit, int usable_cores, int busy_threads) {
    limit_ = usable_cores < busy_threads ? 0 : spin_limit;
  }

  // Ends a turn of the owner's loop: true if it should park now. Anything that must be dealt with
  // at once counts as work: messages, ready sockets, a spill that waits for room, a finished fsync.
  bool ShouldPark(bool found_work) {
    if (found_work) {
      idle_turns_ = 0;
      return false;
    }
    if (idle_turns_ < limit_) {
      ++idle_turns_;
      return false;
    }
    return true;
  }

  // Turns without work that are spun before parking.
  int limit() const { return limit_; }

 private:
  int limit_ = 0;
  int idle_turns_ = 0;
};

// Cores that this process may run on (sched_getaffinity); at least 1.
int UsableCores();

}  // namespace tidemark

#endif  // TIDEMARK_BASE_PARKING_H_
