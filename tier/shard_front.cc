#include "tier/shard_front.h"

#include <cstring>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/key_hash.h"
#include "tier/value_codec.h"
#include "tier/value_reader.h"
#include "tier/value_record.h"

namespace tidemark::tier {
namespace {

absl::Status Gone() {
  return absl::NotFoundError("what stood there was freed, and its segment deleted");
}

}  // namespace

ShardFront::ShardFront(ShardId shard, const Links& links, const Options& options)
    : shard_(shard), links_(links), options_(options), admission_(options.admission) {}

WriteResult ShardFront::Write(const WriteRequest& request) {
  const int64_t now_ns = links_.clock->MonotonicNanos();
  const uint64_t bytes = request.key.size() + request.value.size();
  const WriteOutcome outcome = Decide(request, kRecordHeaderBytes + bytes, now_ns);
  counters_.outcomes[static_cast<size_t>(outcome)].Add();
  if (outcome != WriteOutcome::kQueued) return {.outcome = outcome};

  admission_.Charge(bytes, now_ns);
  AddUnderWay(static_cast<int64_t>(bytes));
  PendingWrite write = {
      .shard = shard_,
      .ticket = WriteTicket(++last_ticket_),
      .key_bytes = request.key.size(),
      .owner = request.owner,
      .value = request.value,
      // A write and a sync for each value would take the disk, and the processor, from those who
      // read. While there is room for more nobody waits for what is under way.
      .hurried = request.urgent && UnderWayBytes() > options_.max_write_bytes / 2,
      .queued_at_ns = now_ns,
  };
  const bool copy = request.owner == nullptr;
  write.text = Buffer::Make(request.key.size() + (copy ? request.value.size() : 0), [&](char* out) {
    std::memcpy(out, request.key.data(), request.key.size());
    if (copy && !request.value.empty()) {
      std::memcpy(out + request.key.size(), request.value.data(), request.value.size());
    }
  });
  if (copy) write.value = write.text->view().substr(request.key.size());
  const WriteTicket ticket = write.ticket;
  links_.inbox->Push(std::move(write));
  return {.outcome = WriteOutcome::kQueued, .ticket = ticket};
}

WriteOutcome ShardFront::Decide(const WriteRequest& request, uint64_t record_bytes,
                                int64_t now_ns) {
  if (record_bytes > options_.max_record_bytes) return WriteOutcome::kTooLarge;
  const TierState& state = *links_.state;
  if (state.stopped.load(std::memory_order_relaxed)) return WriteOutcome::kDown;
  if (state.down.load(std::memory_order_relaxed)) return WriteOutcome::kDown;
  if (state.full.load(std::memory_order_relaxed)) return WriteOutcome::kFull;
  const uint64_t under_way = UnderWayBytes();
  if (under_way > 0 && under_way + record_bytes > options_.max_write_bytes) {
    return WriteOutcome::kBusy;
  }
  // Last: the filter remembers only whom nothing else turned away.
  switch (admission_.Decide(KeyHash(request.key), request.urgent, now_ns)) {
    case DemotionAdmission::Decision::kFirstTry:
      return WriteOutcome::kNotAdmitted;
    case DemotionAdmission::Decision::kTooFast:
      return WriteOutcome::kBusy;
    case DemotionAdmission::Decision::kAdmit:
      break;
  }
  return WriteOutcome::kQueued;
}

void ShardFront::AddUnderWay(int64_t write_bytes) {
  counters_.write_bytes_under_way.Add(write_bytes);
  write_pressure_.Update(UtilisationPercent(UnderWayBytes(), options_.max_write_bytes));
}

void ShardFront::OnWritten(WrittenBatch& batch) {
  for (const WrittenBatch::Item& item : batch.items) {
    AddUnderWay(-static_cast<int64_t>(item.write.bytes()));
    if (!batch.status.ok()) {
      counters_.failed.Add();
      owner_->NotWritten(item.write.key(), item.write.ticket, batch.status);
    } else if (owner_->Written(item.write.key(), item.write.ticket, item.location)) {
      counters_.written.Add();
    } else {
      counters_.stale.Add();
      Free(item.location);
    }
  }
}

absl::Status ShardFront::Read(std::string_view key, ValueLocation location, ReadDone done) {
  counters_.reads.Add();
  if (const auto found = reads_.find(location); found != reads_.end()) {
    counters_.reads_shared.Add();
    found->second->waiters.push_back(std::move(done));
    return absl::OkStatus();
  }
  if (reads_.size() >= options_.max_reads) {
    counters_.reads_refused.Add();
    return absl::ResourceExhaustedError("too many reads of cold values are under way");
  }
  SegmentRef segment = links_.store->Find(location.segment);
  if (segment == nullptr) {
    counters_.missing.Add();
    return Gone();
  }
  auto read = std::make_shared<SharedRead>(SharedRead{.key = std::string(key),
                                                      .asked = location,
                                                      .begun_at_ns = links_.clock->MonotonicNanos(),
                                                      .now = location});
  read->waiters.push_back(std::move(done));
  if (!links_.reads->Push({.shard = shard_, .read = read, .segment = std::move(segment)})) {
    return absl::CancelledError("the tier was stopped");
  }
  reads_.emplace(location, std::move(read));
  UpdateReadPressure();
  return absl::OkStatus();
}

std::optional<absl::StatusOr<ReadValue>> ShardFront::ReadIfCached(std::string_view key,
                                                                  ValueLocation location) {
  // A read of the same place that is under way is joined, not overtaken.
  if (location.bytes > kMaxCachedBytes || reads_.size() >= kMaxReadsBesideCached ||
      reads_.contains(location) || links_.state->stopped.load(std::memory_order_relaxed)) {
    counters_.reads_cached_passed.Add();
    return std::nullopt;
  }
  const SegmentRef segment = links_.store->Find(location.segment);
  if (segment == nullptr) return std::nullopt;  // Read() says so.
  const int64_t begun_at_ns = links_.clock->MonotonicNanos();
  auto value = ReadValueIfCached(*segment, key, location, kMaxCachedBytes, decompressor_);
  if (!value.has_value()) {
    counters_.reads_not_cached.Add();
    return std::nullopt;
  }
  cached_latency_.Record(links_.clock->MonotonicNanos() - begun_at_ns);
  counters_.reads.Add();
  counters_.reads_cached.Add();
  CountRead(location, value->status());
  return value;
}

void ShardFront::OnRead(SharedRead& read, const absl::StatusOr<ReadValue>& value) {
  CountRead(read.asked, value.status());
  // First out of the map: a waiter may ask again at once.
  reads_.erase(read.now);
  UpdateReadPressure();
  for (const ReadDone& done : std::exchange(read.waiters, {})) done(read.now, value);
}

void ShardFront::UpdateReadPressure() {
  counters_.reads_under_way.Set(static_cast<int64_t>(reads_.size()));
  read_pressure_.Update(UtilisationPercent(reads_.size(), options_.max_reads));
}

void ShardFront::CountRead(ValueLocation location, const absl::Status& status) {
  if (status.ok()) {
    counters_.read_bytes.Add(location.bytes);
  } else if (absl::IsDataLoss(status)) {
    counters_.damaged.Add();
  } else if (!absl::IsCancelled(status)) {
    counters_.read_errors.Add();
  }
}

absl::StatusOr<ReadValue> ShardFront::ReadNow(std::string_view key, ValueLocation location) {
  counters_.reads_now.fetch_add(1, std::memory_order_relaxed);
  const SegmentRef segment = links_.store->Find(location.segment);
  if (segment == nullptr) {
    counters_.reads_now_missing.fetch_add(1, std::memory_order_relaxed);
    return Gone();
  }
  ValueDecompressor decompressor;
  absl::StatusOr<ReadValue> value = ReadValueAt(*segment, key, location, decompressor);
  if (!value.ok()) {
    auto& counter =
        absl::IsDataLoss(value.status()) ? counters_.reads_now_damaged : counters_.reads_now_failed;
    counter.fetch_add(1, std::memory_order_relaxed);
  }
  return value;
}

void ShardFront::Free(ValueLocation location) {
  if (links_.store->Free(location)) links_.inbox->Kick();
}

void ShardFront::OnReclaimQuestion(ReclaimChunk::Group& group) {
  for (ReclaimChunk::Item& item : group.items) item.live = owner_->IsAt(item.key, item.from);
}

void ShardFront::OnReclaimMoved(ReclaimChunk::Group& group) {
  for (const ReclaimChunk::Item& item : group.items) {
    if (!owner_->Moved(item.key, item.from, item.to)) {
      Free(item.to);
      continue;
    }
    // A read under way brings the right bytes, and must be known by the place that the entry has
    // now.
    if (auto read = reads_.extract(item.from); !read.empty()) {
      read.mapped()->now = item.to;
      reads_.emplace(item.to, std::move(read.mapped()));
    }
    Free(item.from);
  }
}

}  // namespace tidemark::tier
