#include "net/input_buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace tidemark::net {
namespace {

TEST(InputBufferTest, AppendsAndConsumesInOrder) {
  InputBuffer buffer;
  buffer.Append("hello ");
  buffer.Append("world");
  buffer.Consume(3);
  buffer.Append("!");
  EXPECT_EQ(buffer.view(), "lo world!");
}

TEST(InputBufferTest, HoldsNothingWhenEmpty) {
  InputBuffer buffer;
  buffer.Append("hello");
  buffer.Consume(5);
  EXPECT_EQ(buffer.capacity(), 0u);
}

TEST(InputBufferTest, GrowsWithWhatArrivedNotWithWhatIsExpected) {
  InputBuffer buffer;
  size_t room = 0;
  buffer.Tail(512 << 20, &room);
  EXPECT_LE(buffer.capacity(), 64u * 1024);
  for (size_t arrived = 0; arrived < 1'000'000; arrived += room) {
    char* tail = buffer.Tail((512 << 20) - arrived, &room);
    ASSERT_GT(room, 0u);
    std::memset(tail, 'x', room);
    buffer.Commit(room);
    EXPECT_LE(buffer.capacity(), std::max<size_t>(64 * 1024, 2 * buffer.size()));
  }
}

TEST(InputBufferTest, NeverMakesRoomForMoreThanExpected) {
  InputBuffer buffer;
  buffer.Append(std::string(40'000, 'x'));
  size_t room = 0;
  buffer.Tail(100, &room);
  EXPECT_EQ(buffer.capacity(), 40'100u);
  EXPECT_EQ(room, 100u);
}

}  // namespace
}  // namespace tidemark::net
