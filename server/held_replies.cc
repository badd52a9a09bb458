#include "server/held_replies.h"

#include "base/check.h"

namespace tidemark::server {

void HeldReplies::Note(uint64_t end, const Watermarks& written) {
  DCHECK(end >= noted_end_);
  noted_.resize(written.size());
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] == noted_[i]) continue;
    noted_[i] = written[i];
    Add(ShardId(static_cast<uint16_t>(i)), written[i]);
  }
  noted_end_ = end;
}

void HeldReplies::Add(ShardId shard, Sequence sequence) {
  if (holds_.size() >= kMaxHolds) [[unlikely]] {
    for (size_t i = holds_.size(); i-- > 0;) {
      if (holds_[i].shard != shard) continue;
      holds_[i].sequence = sequence;
      return;
    }
  }
  holds_.push_back({.begin = noted_end_, .shard = shard, .sequence = sequence});
}

bool HeldReplies::Release(const Watermarks& durable) {
  const uint64_t before = limit();
  while (!holds_.empty() && holds_.front().sequence <= durable[holds_.front().shard.value()]) {
    holds_.pop_front();
  }
  return limit() != before;
}

}  // namespace tidemark::server
