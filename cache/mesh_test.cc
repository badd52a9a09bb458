#include "cache/mesh.h"

#include <vector>

#include "cache/engine.h"
#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

// Writes its number down where it arrives.
class Note final : public MeshMessage {
 public:
  Note(int number, std::vector<int>& arrived) : number_(number), arrived_(arrived) {}
  void Arrive(Shard&) override { arrived_.push_back(number_); }

 private:
  const int number_;
  std::vector<int>& arrived_;
};

class MeshTest : public testing::Test {
 protected:
  MeshTest() : engine_({}), first_(ShardId(0), 70, 2), last_(ShardId(69), 70, 2) {
    first_.Connect(ShardId(69), last_);
    last_.Connect(ShardId(0), first_);
  }
  MeshMessage* NewNote(int number) {
    notes_.push_back(std::make_unique<Note>(number, arrived_));
    return notes_.back().get();
  }
  size_t ReceiveAt(MeshPort& port) { return port.Receive(engine_.shard(ShardId(0))); }
  static std::vector<int> WakesOf(MeshPort& port) {
    std::vector<int> wakes;
    port.TakeWakes([&](ShardId peer) { wakes.push_back(peer.value()); });
    return wakes;
  }

  Engine engine_;  // Not started: arrivals want a shard, whichever.
  MeshPort first_;
  MeshPort last_;
  std::vector<std::unique_ptr<MeshMessage>> notes_;
  std::vector<int> arrived_;
};

TEST_F(MeshTest, MessagesArriveOnceAndInOrder) {
  EXPECT_FALSE(last_.pending());
  first_.Send(ShardId(69), NewNote(1));
  first_.Send(ShardId(69), NewNote(2));
  EXPECT_TRUE(last_.pending());
  EXPECT_FALSE(first_.pending());
  EXPECT_EQ(ReceiveAt(last_), 2u);
  EXPECT_EQ(arrived_, (std::vector<int>{1, 2}));
  EXPECT_FALSE(last_.pending());
  EXPECT_EQ(ReceiveAt(last_), 0u);
}

TEST_F(MeshTest, SpilledMessagesAreNotOvertaken) {
  for (int i = 1; i <= 4; ++i) first_.Send(ShardId(69), NewNote(i));  // The ring takes two.
  EXPECT_TRUE(first_.has_spills());
  EXPECT_EQ(ReceiveAt(last_), 2u);
  first_.Send(ShardId(69), NewNote(5));  // There is room, but others are first.
  first_.FlushSpills();
  EXPECT_EQ(ReceiveAt(last_), 2u);
  first_.FlushSpills();
  EXPECT_EQ(ReceiveAt(last_), 1u);
  EXPECT_EQ(arrived_, (std::vector<int>{1, 2, 3, 4, 5}));
  EXPECT_FALSE(first_.has_spills());
  EXPECT_EQ(first_.spills(), 3u);
}

TEST_F(MeshTest, EachPeerIsWokenOnceATurn) {
  for (int i = 0; i < 4; ++i) first_.Send(ShardId(69), NewNote(i));
  EXPECT_EQ(WakesOf(first_), std::vector<int>{69});
  EXPECT_TRUE(WakesOf(first_).empty());
  ReceiveAt(last_);
  first_.FlushSpills();
  EXPECT_EQ(WakesOf(first_), std::vector<int>{69}) << "what had spilled is news as well";
}

TEST_F(MeshTest, MessagesToOneselfNeedNoRing) {
  for (int i = 0; i < 100; ++i) first_.Send(ShardId(0), NewNote(i));
  EXPECT_TRUE(WakesOf(first_).empty());
  EXPECT_EQ(ReceiveAt(first_), 100u);
  EXPECT_EQ(arrived_.size(), 100u);
}

}  // namespace
}  // namespace tidemark::cache
