// Mesh carries messages between shard threads: one bounded ring for each ordered pair.
//
// A shard never waits for a peer. What does not fit a ring queues at the sender, in order, and
// moves on as the peer drains; how much a shard may have under way is the sender's business (Shard
// bounds it in bytes and reads its clients less). Each shard has a bitmap of the peers that have
// sent something, so that looking for messages costs one word, not one ring a peer.
//
// Threading: a MeshPort belongs to its shard's thread, except pending(), which any thread may call.

#ifndef TIDEMARK_CACHE_MESH_H_
#define TIDEMARK_CACHE_MESH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/spsc_ring.h"

namespace tidemark::cache {

class Shard;

// Something on its way to a shard. Whoever receives it owns it, or hands it on.
class MeshMessage {
 public:
  virtual ~MeshMessage() = default;
  // On the receiving shard's thread.
  virtual void Arrive(Shard& shard) = 0;
};

class MeshPort {
 public:
  using Ring = SpscRing<MeshMessage*>;

  MeshPort(ShardId self, int shard_count, size_t ring_messages);
  MeshPort(const MeshPort&) = delete;
  MeshPort& operator=(const MeshPort&) = delete;

  // Before the threads start: where this shard's messages to `peer` go.
  void Connect(ShardId peer, MeshPort& port);

  // Sends to another shard or to this one itself, which receives at its next Receive().
  void Send(ShardId to, MeshMessage* message);
  // Lets everything that has come arrive, and what comes to this shard from itself meanwhile.
  // Returns how many arrived.
  size_t Receive(Shard& shard);
  // Moves spilled messages into rings that have room again.
  void FlushSpills();
  bool has_spills() const { return spilled_ > 0; }
  // Messages that found their ring full so far.
  uint64_t spills() const { return spills_; }
  // Calls wake(ShardId) once for each peer that was sent something since the last call.
  template <typename Wake>
  void TakeWakes(Wake&& wake);

  // Whether something waits to be received. Any thread; exact for the shard's own after a fence.
  bool pending() const;

 private:
  static constexpr int kWordBits = 64;
  struct alignas(64) Word {
    std::atomic<uint64_t> bits{0};
  };
  struct Peer {
    MeshPort* port = nullptr;  // Null for this shard itself.
    Ring* ring = nullptr;      // In `port`, from this shard.
    std::deque<MeshMessage*> spill;
  };

  bool Push(Peer& peer, MeshMessage* message);

  const ShardId self_;
  std::vector<Peer> peers_;
  std::vector<std::unique_ptr<Ring>> inbound_;  // By sender; null for this shard itself.
  std::vector<Word> nonempty_;                  // A bit for each sender.
  std::vector<uint64_t> wakes_;                 // A bit for each receiver.
  std::vector<MeshMessage*> to_self_;
  size_t spilled_ = 0;
  uint64_t spills_ = 0;
};

template <typename Wake>
void MeshPort::TakeWakes(Wake&& wake) {
  for (size_t w = 0; w < wakes_.size(); ++w) {
    for (uint64_t bits = wakes_[w]; bits != 0; bits &= bits - 1) {
      wake(ShardId(static_cast<uint16_t>(w * kWordBits + __builtin_ctzll(bits))));
    }
    wakes_[w] = 0;
  }
}

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_MESH_H_
