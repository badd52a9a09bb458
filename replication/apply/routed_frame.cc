#include "replication/apply/routed_frame.h"

#include <algorithm>
#include <utility>

#include "base/key_hash.h"
#include "fmt/format.h"

namespace tidemark::replication {
namespace {

// Reads the records of one frame for RouteFrame().
class Router {
 public:
  Router(RoutedFrame* routed, int own_shards)
      : routed_(*routed), frame_(*routed->frame), own_shards_(own_shards) {}

  // Finds transactions and Flush records. With `take_apart` also fills phases.
  absl::Status Read(bool take_apart);
  bool has_flush() const { return has_flush_; }

 private:
  absl::Status OnTransaction();
  void OnFlush();
  void Route();

  RoutedFrame& routed_;
  const Frame& frame_;
  const int own_shards_;
  bool has_flush_ = false;
  Record record_;
  bool take_apart_ = false;
  // The transaction under way: its records that are still to come, and where the first of them
  // went.
  uint32_t transaction_left_ = 0;
  std::optional<ShardId> transaction_shard_;
};

absl::Status Router::Read(bool take_apart) {
  take_apart_ = take_apart;
  routed_.transactions.clear();
  routed_.needs_cut = false;
  routed_.phases.clear();
  if (take_apart) routed_.phases.emplace_back(static_cast<size_t>(own_shards_));
  RecordReader reader(frame_);
  Sequence sequence = frame_.first_sequence();
  while (true) {
    const absl::StatusOr<bool> got = reader.Next(&record_);
    if (!got.ok()) return got.status();
    if (!*got) return absl::OkStatus();
    if (frame_.kind() == FrameKind::kMutations) {
      const bool fresh = sequence > routed_.skip_through;
      sequence = Next(sequence);
      if (!fresh) continue;
    }
    if (record_.op == RecordOp::kTransaction) {
      const absl::Status status = OnTransaction();
      if (!status.ok()) return status;
      continue;
    }
    if (record_.op == RecordOp::kFlush) {
      OnFlush();
    } else if (take_apart_) {
      Route();
    }
    if (transaction_left_ > 0) --transaction_left_;
  }
}

absl::Status Router::OnTransaction() {
  transaction_left_ = record_.transaction_records;
  transaction_shard_.reset();
  const std::vector<ShardId>& participants = record_.participants;
  if (participants.empty() || participants.back().value() >= frame_.shard_count() ||
      !std::binary_search(participants.begin(), participants.end(), frame_.shard())) {
    return absl::DataLossError(fmt::format("a transaction in shard {} with impossible participants",
                                           frame_.shard().value()));
  }
  if (participants.size() > 1) {
    routed_.transactions.push_back({record_.transaction_id, participants});
    if (own_shards_ > 1) routed_.needs_cut = true;
  }
  return absl::OkStatus();
}

void Router::OnFlush() {
  has_flush_ = true;
  if (!take_apart_) return;
  if (own_shards_ > 1) routed_.needs_cut = true;
  routed_.phases.emplace_back(static_cast<size_t>(own_shards_));
}

void Router::Route() {
  const uint64_t hash = KeyHash(record_.key);
  const ShardId shard = ShardOf(record_.key, hash, own_shards_);
  routed_.phases.back()[shard.value()].push_back({.op = record_.op,
                                                  .key_hash = hash,
                                                  .key = record_.key,
                                                  .value = record_.value,
                                                  .expiry = record_.expiry,
                                                  .offset = record_.offset});
  if (transaction_left_ == 0) return;
  if (transaction_shard_ && *transaction_shard_ != shard) routed_.needs_cut = true;
  transaction_shard_ = shard;
}

}  // namespace

absl::StatusOr<RoutedFrame> RouteFrame(FrameRef frame, Sequence skip_through, int own_shards) {
  RoutedFrame routed;
  routed.frame = std::move(frame);
  routed.skip_through = skip_through;
  const Frame& source = *routed.frame;
  const int primary_shards = source.shard_count();

  const bool may_stay_whole = own_shards == 1 || own_shards == primary_shards;
  if (may_stay_whole) {
    const ShardId owner = own_shards == 1 ? ShardId(0) : source.shard();
    routed.whole_to = owner;
    // Nothing in it concerns several shards: the shard alone reads it.
    if (primary_shards == 1 || source.kind() == FrameKind::kSnapshotChunk) return routed;
  }
  Router router(&routed, own_shards);
  absl::Status status = router.Read(/*take_apart=*/!may_stay_whole);
  // With one shard here and several there, a Flush empties the keys of one of theirs, which are not
  // all of ours: the Applier applies it when it has those of all.
  if (status.ok() && may_stay_whole && own_shards != primary_shards && router.has_flush()) {
    routed.whole_to.reset();
    status = router.Read(/*take_apart=*/true);
  }
  if (!status.ok()) return status;
  return routed;
}

}  // namespace tidemark::replication
