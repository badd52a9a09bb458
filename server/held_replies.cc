#include "server/held_replies.h"

#include <algorithm>

#include "base/check.h"
#include "server/reply_bytes.h"

namespace tidemark::server {

void HeldReplies::Begin(uint64_t position, size_t pending, const Watermarks& written) {
  DCHECK(!following_ && holds_.empty());
  following_ = true;
  noted_end_ = position;
  noted_ = written;
  // What is still to be answered was not ours to hold.
  kinds_.assign(pending, static_cast<char>(ReplyKind::kRead));
  kinds_begin_ = noted_out_ = 0;
}

void HeldReplies::Note(uint64_t end, size_t pending, const Watermarks& written, const AckNeed& need,
                       int64_t now_ns) {
  DCHECK(following_ && end >= noted_end_ && pending <= taken() - noted_out_);
  noted_.resize(written.size());
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] == noted_[i]) continue;
    noted_[i] = written[i];
    if (need.none()) continue;
    Add({.begin = noted_end_,
         .first = noted_out_,
         .last = taken(),
         .shard = ShardId(static_cast<uint16_t>(i)),
         .sequence = written[i],
         .need = need,
         .since_ns = now_ns});
  }
  noted_end_ = end;
  noted_out_ = taken() - pending;
  if (empty()) {
    following_ = !need.none();
    Forget();
  }
}

void HeldReplies::Add(const Hold& hold) {
  if (holds_.size() >= kMaxHolds) [[unlikely]] {
    for (size_t i = holds_.size(); i-- > 0;) {
      Hold& joined = holds_[i];
      if (joined.shard != hold.shard || joined.need != hold.need) continue;
      joined.sequence = hold.sequence;
      joined.last = hold.last;
      joined.since_ns = hold.since_ns;
      return;
    }
  }
  holds_.push_back(hold);
}

bool HeldReplies::Release(const AckProgress& progress, int64_t now_ns, LatencyHistogram* waited) {
  const uint64_t before = limit();
  auto end = holds_.begin();
  for (; end != holds_.end() && progress.Meets(end->need, end->shard, end->sequence); ++end) {
    if (waited != nullptr) waited->Record(now_ns - end->since_ns);
  }
  if (end == holds_.begin()) return false;
  holds_.erase(holds_.begin(), end);
  Forget();
  return limit() != before;
}

bool HeldReplies::NeedsOwnDisk() const {
  return std::any_of(holds_.begin(), holds_.end(),
                     [](const Hold& hold) { return hold.need.own_disk; });
}

bool HeldReplies::HasOverdue(int64_t since_ns) const {
  return std::any_of(holds_.begin(), holds_.end(),
                     [&](const Hold& hold) { return IsOverdue(hold, since_ns); });
}

// Drops the kinds of replies that have left.
void HeldReplies::Forget() {
  const uint64_t needed = empty() ? noted_out_ : holds_.front().first;
  const auto gone = static_cast<size_t>(needed - kinds_begin_);
  // At once if that costs nothing, else when it is most of them: each is moved about once.
  if (gone < kinds_.size() && gone * 2 < kinds_.size()) return;
  kinds_.erase(0, gone);
  kinds_begin_ = needed;
}

std::vector<const AckNeed*> HeldReplies::Doom(int64_t since_ns, const AckProgress& progress,
                                              std::vector<Hold>* given_up) {
  for (const Hold& hold : holds_) {
    const bool met = progress.Meets(hold.need, hold.shard, hold.sequence);
    if (!met && IsOverdue(hold, since_ns)) given_up->push_back(hold);
  }
  const uint64_t first = holds_.front().first;
  std::vector<const AckNeed*> doomed;
  for (const Hold& hold : *given_up) {
    doomed.resize(std::max<size_t>(doomed.size(), hold.last - first), nullptr);
    for (uint64_t reply = hold.first; reply < hold.last; ++reply) {
      if (KindOf(reply) != ReplyKind::kWrite) continue;
      // Once is enough: to a later hold it is a reply like any other.
      KindOf(reply) = ReplyKind::kRead;
      doomed[reply - first] = &hold.need;
    }
  }
  return doomed;
}

size_t HeldReplies::Fail(int64_t since_ns, const AckProgress& progress, std::string_view held,
                         const Put& put) {
  std::vector<Hold> given_up;
  const std::vector<const AckNeed*> doomed = Doom(since_ns, progress, &given_up);
  size_t failed = 0;
  uint64_t position = limit();
  const uint64_t first = holds_.front().first;
  auto hold = holds_.begin();
  for (uint64_t i = 0;; ++i) {
    for (; hold != holds_.end() && hold->first == first + i; ++hold) hold->begin = position;
    // Behind the last hold's beginning, and the last that fails, bytes stay as they are.
    if (i >= doomed.size() && hold == holds_.end()) break;
    if (KindOf(first + i) == ReplyKind::kSilent) continue;
    const size_t size = ReplySize(held);
    CHECK(size > 0);
    const AckNeed* const need = i < doomed.size() ? doomed[i] : nullptr;
    position += put(held.substr(0, size), need);
    held.remove_prefix(size);
    failed += need != nullptr ? 1 : 0;
  }
  noted_end_ = position + (held.empty() ? 0 : put(held, nullptr));
  std::erase_if(holds_, [&](const Hold& each) {
    return std::any_of(given_up.begin(), given_up.end(), [&](const Hold& gone) {
      return gone.first == each.first && gone.shard == each.shard &&
             gone.sequence == each.sequence && gone.need == each.need;
    });
  });
  Forget();
  return failed;
}

}  // namespace tidemark::server
