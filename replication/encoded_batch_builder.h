// EncodedBatchBuilder numbers one shard's mutations and encodes each straight into the open frame,
// the memory that is later sent.
//
//   builder.Set(key, value, expiry);                     // Sequence n, bytes already in place.
//   if (builder.full() || turn_is_over) frame = builder.Seal(...);
//
// A core: it reads no clock and calls nobody. The caller decides when to look at full() and Due().
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_REPLICATION_ENCODED_BATCH_BUILDER_H_
#define TIDEMARK_REPLICATION_ENCODED_BATCH_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/check.h"
#include "base/expiry.h"
#include "base/format/frame.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/ids.h"

namespace tidemark::replication {

// When a batch is closed. Looked at after a mutation was added, so a batch may exceed max_bytes by
// one mutation, and by a whole transaction, which never splits.
struct BatchLimits {
  uint32_t max_records = 512;  // 1: every mutation by itself, at once.
  size_t max_bytes = 1 << 20;
  int64_t max_delay_ns = 0;  // How long a batch may stay open past a turn; 0: not at all.
};

class EncodedBatchBuilder {
 public:
  EncodedBatchBuilder(ShardId shard, const BatchLimits& limits) : shard_(shard), limits_(limits) {}

  // Goes on after `last`, where the stream's digest was `digest`. Requires: empty().
  void BeginAt(Sequence last, uint64_t digest) {
    CHECK(empty());
    last_ = sealed_ = last.value();
    digest_ = digest;
  }

  // --- Adding: each takes the next sequence. Lengths are within base/format/record.h's limits. ---

  void Set(std::string_view key, std::string_view value, const Expiry& expiry) {
    char* p = Room(key, value);
    if (p != nullptr) Added(EncodeSet(p, key, value, expiry));
  }
  // `flags` as for EncodeDelete.
  void Delete(std::string_view key, uint8_t flags) {
    char* p = Room(key, {});
    if (p != nullptr) Added(EncodeDelete(p, key, flags));
  }
  void Expire(std::string_view key, const Expiry& expiry) {
    char* p = Room(key, {});
    if (p != nullptr) Added(EncodeExpire(p, key, expiry));
  }
  void SetRange(std::string_view key, uint64_t offset, std::string_view bytes);
  void Flush() {
    char* p = Room({}, {});
    if (p != nullptr) Added(EncodeFlush(p));
  }

  // Every mutation between the two stays in one frame behind a marker, which has a sequence of its
  // own. Requires: not in a transaction; `participants` ascend and are not empty.
  void BeginTransaction(uint64_t id, std::span<const ShardId> participants);
  // Requires: in a transaction.
  void EndTransaction();
  bool in_transaction() const { return marker_at_.has_value(); }

  // Takes a sequence without encoding anything, while nobody wants frames. Requires: empty().
  void Skip() {
    DCHECK(empty());
    ++last_;
    sealed_ = last_;
  }

  // --- Closing ---

  bool empty() const { return last_ == sealed_; }
  // Whether a limit is reached and nothing forbids sealing.
  bool full() const {
    return (last_ - sealed_ >= limits_.max_records || open_.payload_bytes() >= limits_.max_bytes) &&
           !in_transaction();
  }
  // Asked at the end of a turn: whether the batch, if there is one, has been open for max_delay_ns.
  // The delay runs from the first question. With a delay of 0 the answer is !empty() and `now_ns`
  // is not used.
  bool Due(int64_t now_ns);
  // Until Due(); none if empty, never negative.
  std::optional<int64_t> DueInNanos(int64_t now_ns) const;

  // The batch as a frame; null if empty() or failed(). Requires: not in a transaction.
  FrameRef Seal(HistoryId history, uint16_t shard_count, int64_t sealed_at_ms);

  // A mutation did not fit its frame: its bytes are lost, though it has its sequence. No frame can
  // be sealed until Abandon() gives the whole batch up; readers then need a snapshot at
  // last_sequence().
  bool failed() const { return failed_; }
  void Abandon();

  // The newest mutation; the newest one in a sealed frame, or skipped; the stream's digest at that
  // one.
  Sequence last_sequence() const { return Sequence(last_); }
  Sequence sealed_sequence() const { return Sequence(sealed_); }
  uint64_t digest() const { return digest_; }
  ShardId shard() const { return shard_; }
  size_t open_bytes() const { return open_.payload_bytes(); }

 private:
  // Room for a record; null after noting the failure if there is none.
  char* Room(std::string_view key, std::string_view value) {
    ++last_;
    if (key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes) [[unlikely]]
      return Fail();
    char* p = open_.Reserve(RecordBytesBound(key.size(), value.size()));
    return p != nullptr ? p : Fail();
  }
  void Added(char* end) { open_.Commit(end); }
  char* Fail();

  const ShardId shard_;
  const BatchLimits limits_;
  uint64_t last_ = 0;
  uint64_t sealed_ = 0;
  uint64_t digest_ = 0;
  OpenFrame open_;
  bool failed_ = false;
  // Where in the payload the open transaction's count is, and the sequence of its marker.
  std::optional<size_t> marker_at_;
  uint64_t marker_ = 0;
  bool has_transactions_ = false;  // The open batch.
  std::optional<int64_t> due_at_ns_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_ENCODED_BATCH_BUILDER_H_
