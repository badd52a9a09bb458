#include "replication/shell/served_board.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {
namespace {

bool MovesForward(const ServedPosition& from, const ServedPosition& to) {
  if (from.history != to.history || from.shown_history != to.shown_history ||
      from.reached.size() != to.reached.size() || from.ancestors != to.ancestors) {
    return false;
  }
  for (size_t i = 0; i < from.reached.size(); ++i) {
    if (to.reached[i] < from.reached[i]) return false;
  }
  return true;
}

}  // namespace

ServedBoard::ServedBoard(int shards, std::function<void(ShardId)> wake)
    : shards_(shards),
      wake_(std::move(wake)),
      wanted_(std::make_unique<std::atomic<bool>[]>(static_cast<size_t>(shards))) {}

void ServedBoard::Show(ServedPosition position) {
  {
    const std::lock_guard lock(mutex_);
    if (!MovesForward(position_, position)) generation_.fetch_add(1, std::memory_order_acq_rel);
    position_ = std::move(position);
  }
  for (int i = 0; i < shards_; ++i) {
    // Read first: nobody waits nearly always, and then no line is written. Sequentially consistent,
    // as is WakeOnMove's: either the shard sees the new position, or we see that it wants to.
    std::atomic<bool>& wanted = wanted_[static_cast<size_t>(i)];
    if (wanted.load() && wanted.exchange(false)) wake_(ShardId(static_cast<uint16_t>(i)));
  }
}

ServedPosition ServedBoard::Get() const {
  const std::lock_guard lock(mutex_);
  return position_;
}

void ServedBoard::WakeOnMove(ShardId shard) { wanted_[shard.value()].store(true); }

int64_t ServedBoard::StaleMs(int64_t now_ms) const {
  const int64_t as_of_ms = current_as_of_ms_.load(std::memory_order_relaxed);
  return as_of_ms == 0 ? -1 : std::max<int64_t>(now_ms - as_of_ms, 0);
}

}  // namespace tidemark::replication
