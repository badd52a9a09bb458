#include "replication/apply/shard_applier.h"

#include <utility>

#include "base/check.h"

namespace tidemark::replication {
namespace {

// A Set whose expiry has passed is stored all the same: it replaces the older value of its key,
// readers do not see it, and contents stay equal to the primary's at the same watermark
// (docs/protocol.md, "Expiry").
void ApplyRecord(RecordOp op, cache::KeyRef key, std::string_view value, int64_t expire_at_ms,
                 uint64_t offset, cache::Keyspace& keyspace) {
  switch (op) {
    case RecordOp::kSet:
      return keyspace.ApplySet(key, value, expire_at_ms);
    case RecordOp::kDelete:
      return keyspace.ApplyDelete(key);
    case RecordOp::kExpire:
      return keyspace.ApplyExpiry(key, expire_at_ms);
    case RecordOp::kSetRange:
      return keyspace.ApplySetRange(key, offset, value);
    case RecordOp::kFlush:
      return keyspace.ApplyFlush();
    case RecordOp::kTransaction:
      return;  // A marker: the Applier has seen to it.
  }
}

absl::Status ApplyFrame(const SlicePart& part, cache::Keyspace& keyspace, uint64_t* records) {
  const Frame& frame = *part.frame;
  RecordReader reader(frame);
  Record record;
  Sequence sequence = frame.first_sequence();
  const bool skips = frame.kind() == FrameKind::kMutations && sequence <= part.skip_through;
  while (true) {
    const absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return got.status();
    if (!*got) return absl::OkStatus();
    if (skips) {
      const bool fresh = sequence > part.skip_through;
      sequence = Next(sequence);
      if (!fresh) continue;
    }
    ++*records;
    ApplyRecord(record.op, cache::KeyRef::Of(record.key), record.value, record.expire_at_ms,
                record.offset, keyspace);
  }
}

void ApplyRecords(const SlicePart& part, cache::Keyspace& keyspace, uint64_t* records) {
  *records += part.records.size();
  for (const RoutedRecord& record : part.records) {
    ApplyRecord(record.op, {record.key, record.key_hash}, record.value,
                static_cast<int64_t>(record.expiry_or_offset), record.expiry_or_offset, keyspace);
  }
}

absl::Status ApplySlice(const Slice& slice, cache::Keyspace& keyspace, uint64_t* records) {
  for (const SlicePart& part : slice.parts) {
    switch (part.what) {
      case SlicePart::What::kFrame: {
        const absl::Status status = ApplyFrame(part, keyspace, records);
        if (!status.ok()) return status;
        break;
      }
      case SlicePart::What::kRecords:
        ApplyRecords(part, keyspace, records);
        break;
      case SlicePart::What::kFlush:
        keyspace.ApplyFlush();
        break;
    }
  }
  return absl::OkStatus();
}

}  // namespace

StepResult ShardApplier::Run(const ApplyStep& step, const Slice* slice) {
  StepResult result;
  switch (step.kind) {
    case ApplyStep::Kind::kApply:
      if (slice != nullptr) {
        result.status = ApplySlice(*slice, step.to_staging ? *staging_ : *served_, &result.records);
      }
      break;
    case ApplyStep::Kind::kBeginStaging:
      staging_ = std::make_unique<cache::Keyspace>(
          cache::Keyspace::Options{.sink = nullptr, .effects_only = true});
      break;
    case ApplyStep::Kind::kSwapIn:
      // A digest may be walking what is served: its owner sees that the walk has ended, and begins
      // anew.
      if (served_->walking()) served_->CancelWalk();
      served_->SwapContents(*staging_);
      Retire(std::move(staging_));
      break;
    case ApplyStep::Kind::kDropStaging:
      Retire(std::move(staging_));
      break;
  }
  result.keys = served_->size();
  return result;
}

void ShardApplier::Retire(std::unique_ptr<cache::Keyspace> keyspace) {
  if (keyspace == nullptr) return;
  // One at a time is freed in slices. A second so soon is rare, and pays at once for the first.
  retired_ = std::move(keyspace);
  retired_->ApplyFlush();
}

bool ShardApplier::FreeSome(size_t max_entries) {
  if (retired_ == nullptr) return false;
  if (!retired_->Housekeeping(max_entries)) retired_.reset();
  return retired_ != nullptr;
}

}  // namespace tidemark::replication
