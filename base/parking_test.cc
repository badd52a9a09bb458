#include "base/parking.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/spsc_ring.h"

namespace tidemark {
namespace {

TEST(ParkerTest, NobodySignalsAnOwnerThatIsAwake) {
  Parker parker;
  EXPECT_FALSE(parker.NeedsWake());
  parker.PublishParked();
  parker.ClearParked();
  EXPECT_FALSE(parker.NeedsWake());
}

TEST(ParkerTest, OneSenderSignalsForEachPark) {
  Parker parker;
  for (int park = 0; park < 2; ++park) {
    parker.PublishParked();
    EXPECT_TRUE(parker.NeedsWake());
    EXPECT_FALSE(parker.NeedsWake());
  }
}

TEST(SpinPolicyTest, ParksAfterTheLimitOfTurnsWithoutWork) {
  SpinPolicy spin(/*spin_limit=*/3, /*usable_cores=*/2, /*busy_threads=*/2);
  for (int turn = 0; turn < 3; ++turn) EXPECT_FALSE(spin.ShouldPark(false)) << turn;
  EXPECT_TRUE(spin.ShouldPark(false));
}

TEST(SpinPolicyTest, AWaitThatEndedWithoutWorkIsNotSpunAgain) {
  SpinPolicy spin(3, 2, 2);
  while (!spin.ShouldPark(false)) continue;
  EXPECT_TRUE(spin.ShouldPark(false));
}

TEST(SpinPolicyTest, WorkBeginsTheCountAnew) {
  SpinPolicy spin(2, 2, 2);
  EXPECT_FALSE(spin.ShouldPark(false));
  EXPECT_FALSE(spin.ShouldPark(false));
  EXPECT_FALSE(spin.ShouldPark(true));
  EXPECT_FALSE(spin.ShouldPark(false));
  EXPECT_FALSE(spin.ShouldPark(false));
  EXPECT_TRUE(spin.ShouldPark(false));
}

TEST(SpinPolicyTest, DoesNotSpinOnCoresThatBusyThreadsNeed) {
  SpinPolicy spin(256, /*usable_cores=*/2, /*busy_threads=*/3);
  EXPECT_EQ(spin.limit(), 0);
  EXPECT_TRUE(spin.ShouldPark(false));
  spin.Adapt(256, 4, 3);
  EXPECT_EQ(spin.limit(), 256);
}

TEST(UsableCoresTest, IsAtLeastOneAndFollowsTheAffinityOfTheThread) {
  const int before = UsableCores();
  EXPECT_GE(before, 1);
  std::thread([] {
    cpu_set_t all;
    CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
    int first = 0;
    while (!CPU_ISSET(first, &all)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
    EXPECT_EQ(UsableCores(), 1);
  }).join();
  EXPECT_EQ(UsableCores(), before);
}

// An owner with a ring from each sender, and an eventfd to sleep on.
class Mailbox {
 public:
  explicit Mailbox(int senders) : signal_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    CHECK(signal_ >= 0);
    for (int i = 0; i < senders; ++i) rings_.emplace_back(8);
  }
  ~Mailbox() { close(signal_); }

  void Send(int sender, int value) {
    while (!rings_[sender].TryPush(int{value})) std::this_thread::yield();
    if (parker_.NeedsWake()) eventfd_write(signal_, 1);
  }

  // How many messages were taken, each of which must be the next of its sender.
  int Drain(std::vector<int>& next) {
    int taken = 0;
    for (size_t sender = 0; sender < rings_.size(); ++sender) {
      int value;
      for (; rings_[sender].TryPop(value); ++taken) CHECK(value == next[sender]++);
    }
    return taken;
  }

  // Parks once, unless the second look finds work. False if nobody signalled within the deadline.
  bool Park(std::vector<int>& next, int& received) {
    parker_.PublishParked();
    const int taken = Drain(next);
    received += taken;
    bool signalled = true;
    if (taken == 0) {
      pollfd wait = {.fd = signal_, .events = POLLIN, .revents = 0};
      signalled = poll(&wait, 1, /*timeout_ms=*/30'000) == 1;
      eventfd_t count;
      eventfd_read(signal_, &count);
    }
    parker_.ClearParked();
    return signalled;
  }

 private:
  Parker parker_;
  std::deque<SpscRing<int>> rings_;
  const int signal_;
};

// The owner parks whenever it finds nothing, and has no other way to wake than a signal: one that
// is lost leaves it asleep until the deadline.
TEST(ParkerTest, RealThreadsLoseNoWake) {
  constexpr int kSenders = 3;
  constexpr int kMessages = 20'000;
  Mailbox mailbox(kSenders);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&mailbox, sender] {
      for (int i = 0; i < kMessages; ++i) {
        mailbox.Send(sender, i);
        if (i % 16 == sender) std::this_thread::yield();  // Let the owner fall asleep now and then.
      }
    });
  }
  std::vector<int> next(kSenders, 0);
  int received = 0;
  bool signalled = true;
  int asleep_with = 0;
  while (received < kSenders * kMessages) {
    const int taken = mailbox.Drain(next);
    received += taken;
    if (taken == 0 && signalled) {
      signalled = mailbox.Park(next, received);
      asleep_with = received;
    }
  }
  EXPECT_TRUE(signalled) << "left asleep after " << asleep_with << " messages";
  for (std::thread& sender : senders) sender.join();
}

// The race itself, many times, with both sides let loose at once: either the second look sees the
// work or the sender sees `parked`. On one core the two never truly meet, and the test can only
// pass.
TEST(ParkerTest, EitherTheOwnerSeesTheWorkOrTheSenderSeesItParked) {
  constexpr int kRounds = 100'000;
  Parker parker;
  std::atomic<int> work{0};
  std::atomic<int> sender_round{0};
  std::atomic<int> owner_round{0};
  std::atomic<bool> wakes{false};
  const auto meet = [](std::atomic<int>& mine, std::atomic<int>& other, int round) {
    mine.store(round, std::memory_order_release);
    while (other.load(std::memory_order_acquire) < round) std::this_thread::yield();
  };
  std::thread sender([&] {
    for (int round = 1; round <= kRounds; ++round) {
      meet(sender_round, owner_round, 2 * round);
      work.store(round, std::memory_order_relaxed);
      wakes.store(parker.NeedsWake(), std::memory_order_relaxed);
      meet(sender_round, owner_round, 2 * round + 1);
    }
  });
  int lost = 0;
  for (int round = 1; round <= kRounds; ++round) {
    meet(owner_round, sender_round, 2 * round);
    parker.PublishParked();
    const bool sees_work = work.load(std::memory_order_relaxed) == round;
    meet(owner_round, sender_round, 2 * round + 1);
    if (!sees_work && !wakes.load(std::memory_order_relaxed)) ++lost;
    parker.ClearParked();
  }
  sender.join();
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace tidemark
