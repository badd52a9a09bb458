#include "base/parking_model.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>
#include <unordered_set>

#include "base/check.h"

namespace tidemark::parking_model {
namespace {

constexpr int kMaxSenders = 3;
constexpr int kOwner = kMaxSenders;  // Its place among the threads; the senders are 0 and up.
constexpr int kThreads = kMaxSenders + 1;

// Variables in memory: how much each sender has pushed, and the flag.
constexpr uint8_t kParked = kMaxSenders;
constexpr int kVariables = kMaxSenders + 1;

struct StoreBuffer {
  struct Store {
    uint8_t variable = 0;
    uint8_t value = 0;
    bool operator==(const Store&) const = default;
  };
  std::array<Store, 4> stores{};
  uint8_t size = 0;

  bool operator==(const StoreBuffer&) const = default;
};

// Where each program stands. A fence is no step of its own: the step after it waits for the queue.
enum class SenderAt : uint8_t { kPush, kReadParked, kClaim, kSignal, kDone };
enum class OwnerAt : uint8_t { kLook, kPublish, kLookAgain, kWait, kClear };

// One state of the whole machine. The signal is the eventfd's: system calls see and change it at
// once.
struct State {
  std::array<uint8_t, kVariables> memory{};
  std::array<StoreBuffer, kThreads> buffers{};
  bool signal = false;
  int8_t unanswered_parks = 0;  // Published, and no sender has signalled for it.

  std::array<SenderAt, kMaxSenders> sender_at{};
  std::array<uint8_t, kMaxSenders> pushed{};

  OwnerAt owner_at = OwnerAt::kLook;
  std::array<uint8_t, kMaxSenders> taken{};
  uint8_t looking_at = 0;  // The sender whose messages a look reads next.
  bool found = false;      // This look has found some.

  bool operator==(const State&) const = default;

  void Store(int thread, uint8_t variable, uint8_t value) {
    StoreBuffer& buffer = buffers[thread];
    CHECK(buffer.size < buffer.stores.size());
    buffer.stores[buffer.size++] = {variable, value};
  }
  uint8_t Load(int thread, uint8_t variable) const {
    const StoreBuffer& buffer = buffers[thread];
    for (int i = buffer.size - 1; i >= 0; --i) {
      if (buffer.stores[i].variable == variable) return buffer.stores[i].value;
    }
    return memory[variable];
  }
  void DrainOne(int thread) {
    StoreBuffer& buffer = buffers[thread];
    memory[buffer.stores[0].variable] = buffer.stores[0].value;
    for (size_t i = 1; i < buffer.stores.size(); ++i) buffer.stores[i - 1] = buffer.stores[i];
    buffer.stores.back() = {};
    --buffer.size;
  }
};

// Millions of states are compared and hashed: as bytes, which have no padding to differ in.
static_assert(std::has_unique_object_representations_v<State>);
struct HashOfBytes {
  size_t operator()(const State& state) const {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(&state), sizeof(State)});
  }
};

class Explorer {
 public:
  Explorer(const Protocol& protocol, const Workload& workload)
      : protocol_(protocol), workload_(workload) {
    CHECK(workload.senders >= 1 && workload.senders <= kMaxSenders);
  }

  Outcome Run() {
    State start;
    for (int i = workload_.senders; i < kMaxSenders; ++i) start.sender_at[i] = SenderAt::kDone;
    Visit(start);
    outcome_.states = seen_.size();
    return std::move(outcome_);
  }

 private:
  void Visit(const State& state) {
    if (!seen_.insert(state).second) return;
    if (state.unanswered_parks < 0 && !outcome_.double_wake) outcome_.double_wake = Story();
    bool stuck = true;
    for (int thread = 0; thread < kThreads; ++thread) {
      if (state.buffers[thread].size > 0) {
        State next = state;
        next.DrainOne(thread);
        Follow(next, thread, "sees a store of its reach memory");
        stuck = false;
      }
      State next = state;
      const char* step = thread == kOwner ? StepOwner(next) : StepSender(next, thread);
      if (step != nullptr) {
        Follow(next, thread, step);
        stuck = false;
      }
    }
    if (stuck && state.taken != state.pushed && !outcome_.lost_wake) outcome_.lost_wake = Story();
  }

  void Follow(const State& next, int thread, const char* step) {
    steps_.push_back({thread, step});
    Visit(next);
    steps_.pop_back();
  }

  std::string Story() const {
    std::string story;
    for (const Step& step : steps_) {
      story += step.thread == kOwner ? "owner " : "sender " + std::to_string(step.thread) + " ";
      story += std::string(step.what) + "\n";
    }
    return story;
  }

  // Takes the sender's next step and names it; null if it has none now.
  const char* StepSender(State& s, int sender) const {
    SenderAt& at = s.sender_at[sender];
    const SenderAt after_message =
        s.pushed[sender] == workload_.pushes ? SenderAt::kDone : SenderAt::kPush;
    switch (at) {
      case SenderAt::kPush:
        s.Store(sender, static_cast<uint8_t>(sender), ++s.pushed[sender]);
        at = SenderAt::kReadParked;
        return "pushes";
      case SenderAt::kReadParked:
        if (protocol_.sender_fence && s.buffers[sender].size > 0) return nullptr;
        if (s.Load(sender, kParked) == 0) {
          at = after_message;
          return "reads that the owner is awake";
        }
        at = protocol_.claim ? SenderAt::kClaim : SenderAt::kSignal;
        return "reads that the owner is parked";
      case SenderAt::kClaim: {
        if (s.buffers[sender].size > 0) return nullptr;
        const bool claimed = s.memory[kParked] != 0;
        s.memory[kParked] = 0;
        at = claimed ? SenderAt::kSignal : after_message;
        return claimed ? "claims the wake" : "finds the wake claimed";
      }
      case SenderAt::kSignal:
        s.signal = true;
        --s.unanswered_parks;
        at = after_message;
        return "signals";
      case SenderAt::kDone:
        break;
    }
    return nullptr;
  }

  // As StepSender. The owner never ends: it rests in kWait.
  const char* StepOwner(State& s) const {
    switch (s.owner_at) {
      case OwnerAt::kLook:
        if (!Look(s)) return "looks at a source";
        s.owner_at = s.found ? OwnerAt::kLook : OwnerAt::kPublish;
        return "looks at the last source";
      case OwnerAt::kPublish:
        s.Store(kOwner, kParked, 1);
        ++s.unanswered_parks;
        s.owner_at = protocol_.second_look ? OwnerAt::kLookAgain : OwnerAt::kWait;
        return "publishes that it parks";
      case OwnerAt::kLookAgain:
        if (protocol_.owner_fence && s.buffers[kOwner].size > 0) return nullptr;
        if (!Look(s)) return "looks again at a source";
        s.owner_at = s.found ? OwnerAt::kClear : OwnerAt::kWait;
        return "looks again at the last source";
      case OwnerAt::kWait:
        if (!s.signal || (protocol_.owner_fence && s.buffers[kOwner].size > 0)) return nullptr;
        s.signal = false;
        s.owner_at = OwnerAt::kClear;
        return "wakes";
      case OwnerAt::kClear:
        s.Store(kOwner, kParked, 0);
        s.owner_at = OwnerAt::kLook;
        return "publishes that it is awake";
    }
    return nullptr;
  }

  // Reads one source and takes what is there. True after the last one; `found` is then for the
  // whole look.
  bool Look(State& s) const {
    if (s.looking_at == 0) s.found = false;
    const uint8_t pushed = s.Load(kOwner, s.looking_at);
    if (s.taken[s.looking_at] < pushed) {
      s.taken[s.looking_at] = pushed;
      s.found = true;
    }
    s.looking_at = static_cast<uint8_t>((s.looking_at + 1) % workload_.senders);
    return s.looking_at == 0;
  }

  struct Step {
    int thread;
    const char* what;
  };

  const Protocol protocol_;
  const Workload workload_;
  std::unordered_set<State, HashOfBytes> seen_;
  std::vector<Step> steps_;  // From the start to the state under visit.
  Outcome outcome_;
};

}  // namespace

Outcome ExploreEveryInterleaving(const Protocol& protocol, const Workload& workload) {
  return Explorer(protocol, workload).Run();
}

}  // namespace tidemark::parking_model
