#include "replication/ack_board.h"

#include <algorithm>

namespace tidemark::replication {
namespace {

uint64_t SumOf(const Watermarks& watermarks) {
  uint64_t sum = 0;
  for (Sequence sequence : watermarks) sum += sequence.value();
  return sum;
}

bool CoversAll(const Watermarks& watermarks, const Watermarks& target) {
  for (size_t i = 0; i < target.size(); ++i) {
    if (watermarks[i] < target[i]) return false;
  }
  return true;
}

}  // namespace

AckBoard::AckBoard(int shard_count) : shard_count_(shard_count) {
  for (auto& kind : reached_) {
    for (Watermarks& reached : kind) reached.resize(static_cast<size_t>(shard_count));
  }
}

bool AckBoard::Advance(std::span<const AckedCopy> copies) {
  const bool applied = AdvanceKind(AckKind::kApplied, copies);
  const bool durable = AdvanceKind(AckKind::kDurable, copies);
  return applied || durable;
}

bool AckBoard::AdvanceKind(AckKind kind, std::span<const AckedCopy> copies) {
  best_.clear();
  for (const AckedCopy& copy : copies) {
    const Watermarks* acked = kind == AckKind::kApplied ? copy.applied : copy.durable;
    if (acked->size() == static_cast<size_t>(shard_count_)) best_.push_back(acked);
  }
  // More advanced on the whole first: of two that cover the same, it lets more replies go.
  std::stable_sort(best_.begin(), best_.end(),
                   [](const Watermarks* a, const Watermarks* b) { return SumOf(*a) > SumOf(*b); });
  bool moved = false;
  const size_t most = std::min<size_t>(best_.size(), kMaxReplicas);
  for (size_t n = 1; n <= most; ++n) {
    moved |= AdvanceTo(reached_[static_cast<size_t>(kind)][n - 1], n);
  }
  return moved;
}

bool AckBoard::AdvanceTo(Watermarks& reached, size_t replicas) {
  chosen_.clear();
  for (const Watermarks* copy : best_) {
    if (!CoversAll(*copy, reached)) continue;
    chosen_.push_back(copy);
    if (chosen_.size() == replicas) break;
  }
  if (chosen_.size() < replicas) return false;
  bool moved = false;
  for (size_t shard = 0; shard < reached.size(); ++shard) {
    Sequence least = (*chosen_.front())[shard];
    for (const Watermarks* copy : chosen_) least = std::min(least, (*copy)[shard]);
    moved |= least != reached[shard];
    reached[shard] = least;
  }
  return moved;
}

}  // namespace tidemark::replication
