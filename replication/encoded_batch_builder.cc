#include "replication/encoded_batch_builder.h"

#include <algorithm>
#include <cstring>

namespace tidemark::replication {

char* EncodedBatchBuilder::Fail() {
  failed_ = true;
  return nullptr;
}

void EncodedBatchBuilder::SetRange(std::string_view key, uint64_t offset, std::string_view bytes) {
  char* p = Room(key, bytes);
  if (p == nullptr) return;
  if (offset > kMaxValueBytes - bytes.size()) {
    Fail();
    return;
  }
  open_.Commit(EncodeSetRange(p, key, offset, bytes));
}

void EncodedBatchBuilder::BeginTransaction(uint64_t id, std::span<const ShardId> participants) {
  CHECK(!in_transaction());
  DCHECK(!participants.empty() && std::is_sorted(participants.begin(), participants.end()));
  has_transactions_ = true;
  marker_ = ++last_;
  marker_at_ = open_.payload_bytes();
  char* p = open_.Reserve(TransactionBytesBound(participants.size()));
  if (p == nullptr) {
    Fail();
    return;
  }
  char* count_at = nullptr;
  char* end = EncodeTransaction(p, id, 0, participants, &count_at);
  marker_at_ = static_cast<size_t>(count_at - open_.payload().data());
  open_.Commit(end);
}

void EncodedBatchBuilder::EndTransaction() {
  CHECK(in_transaction());
  const size_t count_at = *marker_at_;
  marker_at_.reset();
  if (failed_) return;
  // One byte was left for the count, enough for all but the largest transactions: those move.
  const uint64_t records = last_ - marker_;
  const size_t more = VarintBytes(records) - 1;
  if (more > 0) {
    char* p = open_.Reserve(more);
    if (p == nullptr) {
      Fail();
      return;
    }
    char* after_count = open_.mutable_payload() + count_at + 1;
    std::memmove(after_count + more, after_count, static_cast<size_t>(p - after_count));
    open_.Commit(p + more);
  }
  StoreVarint(open_.mutable_payload() + count_at, records);
}

bool EncodedBatchBuilder::Due(int64_t now_ns) {
  if (empty()) return false;
  if (limits_.max_delay_ns == 0) return true;
  if (!due_at_ns_.has_value()) due_at_ns_ = now_ns + limits_.max_delay_ns;
  return now_ns >= *due_at_ns_;
}

std::optional<int64_t> EncodedBatchBuilder::DueInNanos(int64_t now_ns) const {
  if (empty()) return std::nullopt;
  if (!due_at_ns_.has_value()) return limits_.max_delay_ns;
  return std::max<int64_t>(0, *due_at_ns_ - now_ns);
}

FrameRef EncodedBatchBuilder::Seal(HistoryId history, uint16_t shard_count, int64_t sealed_at_ms) {
  CHECK(!in_transaction());
  if (empty() || failed_) return nullptr;
  digest_ = StreamDigest(digest_, open_.payload());
  FrameRef frame = open_.Seal({
      .kind = FrameKind::kMutations,
      .flags = has_transactions_ ? kFrameTransactions : uint16_t{0},
      .history = history,
      .shard = shard_,
      .shard_count = shard_count,
      .record_count = static_cast<uint32_t>(last_ - sealed_),
      .first_sequence = Sequence(sealed_ + 1),
      .last_sequence = Sequence(last_),
      .stream_digest = digest_,
      .sealed_at_ms = sealed_at_ms,
  });
  sealed_ = last_;
  has_transactions_ = false;
  due_at_ns_.reset();
  return frame;
}

void EncodedBatchBuilder::Abandon() {
  CHECK(!in_transaction());
  open_.Clear();
  sealed_ = last_;
  failed_ = has_transactions_ = false;
  due_at_ns_.reset();
}

}  // namespace tidemark::replication
