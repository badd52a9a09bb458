#include "tier/value_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log/log.h"
#include "tier/value_record.h"

namespace tidemark::tier {
namespace {

// What a large value made of the batch's memory is given back behind it.
constexpr size_t kKeptBatchBytes = size_t{2} << 20;

// The sooner of two waits, of which a negative one is none.
int64_t Sooner(int64_t a, int64_t b) {
  if (a < 0) return b;
  return b < 0 ? a : std::min(a, b);
}

}  // namespace

ValueWriter::ValueWriter(SegmentStore& store, WriterInbox& inbox, TierState& state,
                         PostToFront post, const Options& options)
    : store_(store),
      inbox_(inbox),
      state_(state),
      post_(post),
      options_(options),
      reclaimer_(store, inbox, state, std::move(post), options.reclaim_bytes_per_second) {}

ValueWriter::Step ValueWriter::Run(int64_t now_ns) {
  for (PendingWrite& write : inbox_.Take()) {
    queue_bytes_ += write.bytes();
    hurried_ |= write.hurried;
    queue_.push_back(std::move(write));
  }
  store_.DeleteEmpty();
  if (state_.down.load(std::memory_order_relaxed) && now_ns >= retry_at_ns_) {
    state_.down.store(false, std::memory_order_relaxed);
  }
  if (state_.full.load(std::memory_order_relaxed) && store_.MayCreate(Lane::kDemotions)) {
    state_.full.store(false, std::memory_order_relaxed);
  }
  if (state_.down.load(std::memory_order_relaxed)) {
    RefuseAll(absl::UnavailableError("the disk refused a write a moment ago"));
  } else if (NanosUntilWrite(now_ns) == 0) {
    WriteBatch(now_ns);
  }

  int64_t wait_ns = reclaimer_.Run(now_ns);
  wait_ns = Sooner(wait_ns, NanosUntilWrite(now_ns));
  if (state_.down.load(std::memory_order_relaxed)) {
    wait_ns = Sooner(wait_ns, std::max<int64_t>(retry_at_ns_ - now_ns, 0));
  }
  if (store_.HasHeldFiles()) wait_ns = Sooner(wait_ns, kHeldNanos);
  const size_t enough_bytes = queue_.empty() || queue_bytes_ >= options_.write_batch_bytes
                                  ? 1
                                  : options_.write_batch_bytes - queue_bytes_;
  return {.wait_ns = wait_ns, .enough_bytes = enough_bytes};
}

int64_t ValueWriter::NanosUntilWrite(int64_t now_ns) const {
  if (queue_.empty()) return -1;
  if (hurried_ || queue_bytes_ >= options_.write_batch_bytes) return 0;
  return std::max<int64_t>(queue_.front().queued_at_ns + kLingerNanos - now_ns, 0);
}

void ValueWriter::WriteBatch(int64_t now_ns) {
  FillBatch(now_ns);
  if (!items_.empty()) {
    const absl::Status status = store_.Append(Lane::kDemotions, batch_, items_.size());
    if (status.ok()) CountBatch();
    Tell(std::exchange(items_, {}), status);
    if (!status.ok()) GoDown(status, now_ns);
  }
  batch_.clear();
  if (batch_.capacity() > kKeptBatchBytes) batch_ = std::string();
}

void ValueWriter::FillBatch(int64_t now_ns) {
  while (!queue_.empty() && batch_.size() < options_.write_batch_bytes) {
    PendingWrite& write = queue_.front();
    const std::optional<std::string_view> compressed =
        options_.compress ? compressor_.Compress(write.value) : std::nullopt;
    const std::string_view stored = compressed.value_or(write.value);
    const RecordHeader header = {
        .body_crc32c = RecordBodyCrc32c(write.key(), stored),
        .key_bytes = static_cast<uint32_t>(write.key_bytes),
        .stored_bytes = static_cast<uint32_t>(stored.size()),
        .value_bytes = static_cast<uint32_t>(write.value.size()),
        .shard = write.shard,
        .flags = compressed ? kRecordZstd : uint8_t{0},
    };
    if (!store_.Fits(Lane::kDemotions, batch_.size(), header.record_bytes())) {
      // The batch is for one segment: first what is in it, then this one.
      if (!items_.empty()) return;
      if (!MakeRoom(header.record_bytes(), now_ns)) return;
    }
    queue_bytes_ -= write.bytes();
    AddToBatch(std::move(write), header, stored);
    queue_.pop_front();
    if (queue_.empty()) hurried_ = false;
  }
}

bool ValueWriter::MakeRoom(uint64_t bytes, int64_t now_ns) {
  if (!store_.MayCreate(Lane::kDemotions)) {
    state_.full.store(true, std::memory_order_relaxed);
    RefuseAll(absl::ResourceExhaustedError("the tier is full"));
    return false;
  }
  const absl::Status status = store_.Create(Lane::kDemotions);
  if (!status.ok()) {
    GoDown(status, now_ns);
    return false;
  }
  CHECK(store_.Fits(Lane::kDemotions, 0, bytes));  // The front takes no larger one.
  return true;
}

void ValueWriter::CountBatch() {
  state_.writes.Add();
  state_.written_bytes.Add(batch_.size());
  for (const WrittenBatch::Item& item : items_) {
    state_.raw_bytes.Add(item.write.value.size());
    state_.stored_bytes.Add(item.location.bytes - kRecordHeaderBytes - item.write.key_bytes);
  }
}

void ValueWriter::AddToBatch(PendingWrite write, const RecordHeader& header,
                             std::string_view stored) {
  const SegmentLedger::End end = store_.EndOf(Lane::kDemotions);
  const auto offset = static_cast<uint32_t>(end.offset + batch_.size());
  char encoded[kRecordHeaderBytes];
  EncodeRecordHeader(header, end.segment, offset, encoded);
  batch_.append(encoded, sizeof(encoded)).append(write.key()).append(stored);
  const ValueLocation location = {end.segment, offset,
                                  static_cast<uint32_t>(header.record_bytes())};
  write.owner = nullptr;  // A large value's memory need not wait for the shard.
  items_.push_back({.write = std::move(write), .location = location});
}

void ValueWriter::GoDown(const absl::Status& why, int64_t now_ns) {
  state_.CountWriteError(why);
  state_.down.store(true, std::memory_order_relaxed);
  retry_at_ns_ = now_ns + kRetryNanos;
  const absl::string_view text = why.message();
  Log(LogLevel::kWarning,
      fmt::format("values stay in memory, the tier cannot be written: {}; the next try is in {} ms",
                  std::string_view(text.data(), text.size()), kRetryNanos / 1'000'000));
  RefuseAll(why);
}

void ValueWriter::RefuseAll(const absl::Status& why) {
  if (queue_.empty()) return;
  std::vector<WrittenBatch::Item> items;
  items.reserve(queue_.size());
  for (PendingWrite& write : queue_) items.push_back({.write = std::move(write), .location = {}});
  queue_.clear();
  queue_bytes_ = 0;
  hurried_ = false;
  Tell(std::move(items), why);
}

void ValueWriter::Tell(std::vector<WrittenBatch::Item> items, const absl::Status& status) {
  std::map<ShardId, std::shared_ptr<WrittenBatch>> by_shard;
  for (WrittenBatch::Item& item : items) {
    std::shared_ptr<WrittenBatch>& batch = by_shard[item.write.shard];
    if (batch == nullptr) batch = std::make_shared<WrittenBatch>();
    batch->status = status;
    batch->items.push_back(std::move(item));
  }
  for (const auto& [shard, batch] : by_shard) {
    post_(shard, [batch = batch](FrontEvents& front) { front.OnWritten(*batch); });
  }
}

}  // namespace tidemark::tier
