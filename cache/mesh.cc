#include "cache/mesh.h"

#include <bit>

namespace tidemark::cache {

MeshPort::MeshPort(ShardId self, int shard_count, size_t ring_messages)
    : self_(self),
      peers_(static_cast<size_t>(shard_count)),
      inbound_(static_cast<size_t>(shard_count)),
      nonempty_((static_cast<size_t>(shard_count) + kWordBits - 1) / kWordBits),
      wakes_(nonempty_.size()) {
  for (size_t i = 0; i < inbound_.size(); ++i) {
    if (i != self.value()) inbound_[i] = std::make_unique<Ring>(ring_messages);
  }
}

void MeshPort::Connect(ShardId peer, MeshPort& port) {
  peers_[peer.value()].port = &port;
  peers_[peer.value()].ring = port.inbound_[self_.value()].get();
}

bool MeshPort::Push(Peer& peer, MeshMessage* message) {
  if (!peer.ring->TryPush(std::move(message))) return false;
  // After the push, and unconditionally: the receiver clears the bit before it drains, so either it
  // sees this message or the bit is set again.
  const size_t self = self_.value();
  peer.port->nonempty_[self / kWordBits].bits.fetch_or(uint64_t{1} << (self % kWordBits),
                                                       std::memory_order_acq_rel);
  return true;
}

void MeshPort::Send(ShardId to, MeshMessage* message) {
  if (to == self_) {
    to_self_.push_back(message);
    return;
  }
  Peer& peer = peers_[to.value()];
  wakes_[to.value() / kWordBits] |= uint64_t{1} << (to.value() % kWordBits);
  // Behind what already waits: messages to one peer never overtake each other.
  if (!peer.spill.empty() || !Push(peer, message)) {
    peer.spill.push_back(message);
    ++spilled_;
    ++spills_;
  }
}

size_t MeshPort::Receive(Shard& shard) {
  size_t received = 0;
  for (size_t w = 0; w < nonempty_.size(); ++w) {
    if (nonempty_[w].bits.load(std::memory_order_relaxed) == 0) continue;
    uint64_t bits = nonempty_[w].bits.exchange(0, std::memory_order_acq_rel);
    for (; bits != 0; bits &= bits - 1) {
      Ring& ring = *inbound_[w * kWordBits + static_cast<size_t>(std::countr_zero(bits))];
      for (MeshMessage* message = nullptr; ring.TryPop(message); ++received) message->Arrive(shard);
    }
  }
  // Arrivals may send to this shard again.
  for (std::vector<MeshMessage*> batch; !to_self_.empty(); batch.clear()) {
    batch.swap(to_self_);
    received += batch.size();
    for (MeshMessage* message : batch) message->Arrive(shard);
  }
  return received;
}

void MeshPort::FlushSpills() {
  if (spilled_ == 0) return;
  for (size_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = peers_[i];
    while (!peer.spill.empty() && Push(peer, peer.spill.front())) {
      peer.spill.pop_front();
      --spilled_;
      wakes_[i / kWordBits] |= uint64_t{1} << (i % kWordBits);
    }
  }
}

bool MeshPort::pending() const {
  for (const Word& word : nonempty_) {
    if (word.bits.load(std::memory_order_acquire) != 0) return true;
  }
  return false;
}

}  // namespace tidemark::cache
