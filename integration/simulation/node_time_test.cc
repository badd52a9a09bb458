#include "integration/simulation/node_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "integration/simulation/endpoint.h"

namespace tidemark::simulation {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NodeTimeTest : public testing::Test {
 protected:
  void At(int64_t us, int event) {
    time_.In(us, [this, event] { happened_.push_back(event); });
  }
  void RunFor(int64_t us) { sim_.RunUntil(sim_.now_us() + us); }

  Simulation sim_{1};
  NodeTime time_{&sim_};
  std::vector<int> happened_;
};

TEST_F(NodeTimeTest, AStoppedNodeCatchesUpInOrderWhenItGoesOn) {
  At(10, 1);
  At(20, 2);
  At(150, 3);
  time_.StopUntil(sim_.now_us() + 100);
  RunFor(99);
  EXPECT_THAT(happened_, IsEmpty());
  RunFor(1);
  EXPECT_THAT(happened_, ElementsAre(1, 2));
  RunFor(100);
  EXPECT_THAT(happened_, ElementsAre(1, 2, 3));
}

TEST_F(NodeTimeTest, EventsOfAnEarlierLifeNeverHappen) {
  At(10, 1);
  time_.EndLife();
  At(20, 2);
  RunFor(100);
  EXPECT_THAT(happened_, ElementsAre(2));
}

TEST_F(NodeTimeTest, EventsOfAnObjectThatIsGoneNeverHappen) {
  {
    NodeEvents events(&time_);
    events.In(10, [this] { happened_.push_back(1); });
  }
  At(20, 2);
  RunFor(100);
  EXPECT_THAT(happened_, ElementsAre(2));
}

TEST_F(NodeTimeTest, OnlyWallTimeSteps) {
  const int64_t wall_ms = time_.UnixMillis();
  const int64_t monotonic_ns = time_.MonotonicNanos();
  time_.StepWall(-5'000);
  EXPECT_EQ(time_.UnixMillis(), wall_ms - 5'000);
  EXPECT_EQ(time_.MonotonicNanos(), monotonic_ns);
}

TEST_F(NodeTimeTest, BytesThatArriveWhileItIsStoppedKeepTheirOrder) {
  const auto connection = std::make_shared<Connection>(&sim_);
  std::string received;
  NodeEvents events(&time_);
  AttachNode(events, *connection, 0,
             {.on_bytes = [&](std::string_view bytes) { received += bytes; },
              .on_writable = [] {},
              .on_closed = [&] { received += "|"; }});
  connection->Attach(
      1, {.on_bytes = [](std::string_view) {}, .on_writable = [] {}, .on_closed = [] {}});
  time_.StopUntil(sim_.now_us() + 3'000);
  std::string sent;
  for (int i = 0; i < 100; ++i) {
    const std::string piece = std::to_string(i) + ",";
    sent += piece;
    sim_.In(i * 50, [connection, piece] { connection->Write(1, piece); });
  }
  sim_.In(6'000, [connection] { connection->Close(1); });
  RunFor(100'000);
  EXPECT_EQ(received, sent + "|");
}

}  // namespace
}  // namespace tidemark::simulation
