// A model of the parking protocol (base/parking.h) on a machine with store buffers, and an explorer
// that runs through every interleaving of its threads. For tests.
//
// The machine is x86's total store order: a thread's stores wait in a queue of its own until they
// drain to memory, one by one, at any later moment; the thread itself sees them at once. A fence
// and an exchange wait for the queue to be empty. This is what loses wakes where a fence is
// missing: the store of `parked` (or of a pushed message) is still in its queue when the other
// thread reads the variable. Weaker machines may do more, but not across the two fences, and the
// protocol rests on nothing else.

#ifndef TIDEMARK_BASE_PARKING_MODEL_H_
#define TIDEMARK_BASE_PARKING_MODEL_H_

#include <cstddef>
#include <optional>
#include <string>

namespace tidemark::parking_model {

// What the explorer runs: the protocol as it is, or with a part cut out.
struct Protocol {
  bool owner_fence = true;
  bool second_look = true;  // After publishing `parked`, before the wait.
  bool sender_fence = true;
  bool claim = true;  // Exchange `parked`, instead of only reading it.
};

struct Workload {
  int senders;  // 1 to 3.
  int pushes;   // Of each sender.
};

struct Outcome {
  size_t states = 0;  // Distinct ones that were visited.
  // The steps, one a line, that lead to an owner asleep beside work with no signal to come; nothing
  // if no order of steps does.
  std::optional<std::string> lost_wake;
  // Likewise for more signals than parks: two senders that both wake the owner for one sleep.
  std::optional<std::string> double_wake;
};

Outcome ExploreEveryInterleaving(const Protocol& protocol, const Workload& workload);

}  // namespace tidemark::parking_model

#endif  // TIDEMARK_BASE_PARKING_MODEL_H_
