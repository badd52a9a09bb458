#include "replication/apply/shard_applier.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "base/check.h"

namespace tidemark::replication {
namespace {

// A Set whose expiry has passed is stored all the same: it replaces the older value of its key,
// readers do not see it, and contents stay equal to the primary's at the same watermark
// (docs/protocol.md, "Expiry").
void ApplyRecord(RecordOp op, cache::KeyRef key, std::string_view value, const Expiry& expiry,
                 uint64_t offset, cache::Keyspace& keyspace) {
  switch (op) {
    case RecordOp::kSet:
      return keyspace.ApplySet(key, value, expiry);
    case RecordOp::kDelete:
      return keyspace.ApplyDelete(key);
    case RecordOp::kExpire:
      return keyspace.ApplyExpiry(key, expiry);
    case RecordOp::kSetRange:
      return keyspace.ApplySetRange(key, offset, value);
    case RecordOp::kFlush:
    case RecordOp::kTransaction:
      return;  // These have no key.
  }
}

// What a slice changes.
struct Target {
  cache::Keyspace& keyspace;
  KeptCopy* copy;     // Null: nothing is being copied to it.
  ShardRelay* relay;  // Null: nobody follows this.

  void Apply(RecordOp op, cache::KeyRef key, std::string_view value, const Expiry& expiry,
             uint64_t offset) {
    if (copy != nullptr) copy->Before(key);
    ApplyRecord(op, key, value, expiry, offset, keyspace);
  }
  void Flush() {
    if (copy != nullptr) copy->Stop();
    keyspace.ApplyFlush();
    if (relay != nullptr) relay->OnFlush();
  }
};

// So many records are looked at before the first of them is applied, so that their cache misses
// overlap: a table of any size has every key somewhere else in memory.
constexpr size_t kAhead = 16;

// Starts loading what applying to these keys will touch. Their buckets have been prefetched.
void PrefetchEntries(std::span<const cache::KeyRef> keys, const cache::Keyspace& keyspace) {
  for (const cache::KeyRef& key : keys) keyspace.PrefetchEntry(key.hash);
}

absl::Status ApplyFrame(const SlicePart& part, Target target, uint64_t* records) {
  const Frame& frame = *part.frame;
  RecordReader reader(frame);
  Record ahead[kAhead];
  cache::KeyRef keys[kAhead];
  Sequence sequence = frame.first_sequence();
  // Chunks have keys of other shards than those that are copied.
  if (frame.kind() == FrameKind::kSnapshotChunk) target.copy = nullptr;
  const bool skips = frame.kind() == FrameKind::kMutations && sequence <= part.skip_through;
  absl::StatusOr<bool> got = true;
  while (got.ok() && *got) {
    size_t count = 0;
    while (count < kAhead) {
      got = reader.Next(&ahead[count]);
      if (!got.ok() || !*got) break;
      if (skips) {
        const bool fresh = sequence > part.skip_through;
        sequence = Next(sequence);
        if (!fresh) continue;
      }
      keys[count] = cache::KeyRef::Of(ahead[count].key);
      target.keyspace.PrefetchBucket(keys[count].hash);
      ++count;
    }
    PrefetchEntries(std::span(keys, count), target.keyspace);
    for (size_t i = 0; i < count; ++i) {
      const Record& record = ahead[i];
      if (record.op == RecordOp::kFlush) {
        target.Flush();
      } else if (record.op != RecordOp::kTransaction) {  // A marker: the Applier has seen to it.
        target.Apply(record.op, keys[i], record.value, record.expiry, record.offset);
      }
    }
    *records += count;
  }
  return got.status();
}

void ApplyRecords(const SlicePart& part, Target target, uint64_t* records) {
  *records += part.records.size();
  if (part.frame->kind() == FrameKind::kSnapshotChunk) target.copy = nullptr;
  cache::KeyRef keys[kAhead];
  for (size_t begin = 0; begin < part.records.size(); begin += kAhead) {
    const size_t count = std::min(kAhead, part.records.size() - begin);
    const std::span ahead(&part.records[begin], count);
    for (size_t i = 0; i < count; ++i) {
      keys[i] = {ahead[i].key, ahead[i].key_hash};
      target.keyspace.PrefetchBucket(keys[i].hash);
    }
    PrefetchEntries(std::span(keys, count), target.keyspace);
    for (size_t i = 0; i < count; ++i) {
      target.Apply(ahead[i].op, keys[i], ahead[i].value, ahead[i].expiry, ahead[i].offset);
    }
  }
}

// Collects into a keyspace of their own the keys that a flush of the kept shards spares.
class SparedKeys final : public cache::WalkVisitor {
 public:
  SparedKeys(const KeptCopy& copy, cache::Keyspace* to) : copy_(copy), to_(to) {}
  void OnEntry(const cache::Entry& entry) override {
    const cache::KeyRef key = cache::KeyRef::Of(entry.key());
    if (!copy_.IsKept(key.key, key.hash)) to_->ApplySet(key, entry.value(), entry.expiry());
  }
  // Nothing in the staging of a mixed plan is on disk.
  void OnUnreadable(const cache::Entry& entry, const absl::Status& why) override {}

 private:
  const KeptCopy& copy_;
  cache::Keyspace* const to_;
};

std::unique_ptr<cache::Keyspace> NewStaging() {
  return std::make_unique<cache::Keyspace>(
      cache::Keyspace::Options{.sink = nullptr, .effects_only = true});
}

}  // namespace

StepResult ShardApplier::Run(const ApplyStep& step, const Slice* slice) {
  StepResult result;
  switch (step.kind) {
    case ApplyStep::Kind::kApply:
      if (slice != nullptr) result.status = ApplySlice(*slice, step.to_staging, &result.records);
      // Half a frame is applied: no position describes what is here.
      if (!result.status.ok() && !step.to_staging && relay_ != nullptr) relay_->End();
      break;
    case ApplyStep::Kind::kBeginStaging:
      staging_ = NewStaging();
      if (step.kept.empty()) {
        served_->set_beside(staging_.get());
      } else {
        copy_.emplace(step.kept, served_, staging_.get());
      }
      break;
    case ApplyStep::Kind::kKeepSome:
      result.more = copy_->CopySome(step.keep_entries);
      break;
    case ApplyStep::Kind::kSwapIn:
      copy_.reset();
      if (relay_ != nullptr) relay_->End();
      served_->set_beside(nullptr);
      // A digest may be walking what is served: its owner sees that the walk has ended, and begins
      // anew.
      if (served_->walking()) served_->CancelWalk();
      served_->SwapContents(*staging_);
      Retire(std::move(staging_));
      break;
    case ApplyStep::Kind::kDropStaging:
      copy_.reset();
      served_->set_beside(nullptr);
      Retire(std::move(staging_));
      break;
  }
  result.keys = served_->size();
  return result;
}

absl::Status ShardApplier::ApplySlice(const Slice& slice, bool to_staging, uint64_t* records) {
  for (const SlicePart& part : slice.parts) {
    // Each time: FlushKept() makes another staging keyspace.
    const Target target{.keyspace = to_staging ? *staging_ : *served_,
                        .copy = to_staging && copy_.has_value() ? &*copy_ : nullptr,
                        .relay = to_staging ? nullptr : relay_};
    switch (part.what) {
      case SlicePart::What::kFrame: {
        const absl::Status status = ApplyFrame(part, target, records);
        if (!status.ok()) return status;
        if (target.relay != nullptr) target.relay->OnApplied(part.frame);
        break;
      }
      case SlicePart::What::kRecords:
        ApplyRecords(part, target, records);
        break;
      case SlicePart::What::kFlush:
        Target(target).Flush();
        break;
      case SlicePart::What::kFlushKept:
        FlushKept();
        break;
    }
  }
  return absl::OkStatus();
}

void ShardApplier::FlushKept() {
  copy_->Stop();
  std::unique_ptr<cache::Keyspace> spared = NewStaging();
  SparedKeys visitor(*copy_, spared.get());
  staging_->BeginWalk(&visitor);
  // At once, however many: it is one FLUSHALL that lies in the stretch that a mixed plan makes up.
  while (!staging_->WalkSome(std::numeric_limits<size_t>::max())) {
  }
  Retire(std::exchange(staging_, std::move(spared)));
}

void ShardApplier::Retire(std::unique_ptr<cache::Keyspace> keyspace) {
  if (keyspace == nullptr) return;
  // One at a time is freed in slices. A second so soon is rare, and pays at once for the first.
  retired_ = std::move(keyspace);
  retired_->ApplyFlush();
}

void ShardApplier::Leave() {
  copy_.reset();
  served_->set_beside(nullptr);
  staging_.reset();
  retired_.reset();
}

bool ShardApplier::FreeSome(size_t max_entries) {
  if (retired_ == nullptr) return false;
  if (!retired_->Housekeeping(max_entries)) retired_.reset();
  return retired_ != nullptr;
}

}  // namespace tidemark::replication
