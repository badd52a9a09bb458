// What the tests of the tier share: a tier without threads, whose steps the test takes one by one,
// and a keyspace small enough to be obviously right.
//
//   TierRig rig(disk);
//   rig.owner(0).Set("k", "v");
//   rig.owner(0).Demote("k");
//   rig.Settle();                            // All that is possible now, in a fair order.
//   EXPECT_EQ(rig.owner(0).Get("k"), "v");   // Reads the disk if "k" is cold.

#ifndef TIDEMARK_TIER_TIER_TEST_UTIL_H_
#define TIDEMARK_TIER_TIER_TEST_UTIL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/clock.h"
#include "tier/read_queue.h"
#include "tier/segment_store.h"
#include "tier/shard_front.h"
#include "tier/tier_front.h"
#include "tier/tier_state.h"
#include "tier/value_codec.h"
#include "tier/value_reader.h"
#include "tier/value_record.h"
#include "tier/value_writer.h"
#include "tier/writer_inbox.h"
#include "wal/disk/disk.h"

namespace tidemark::tier {

// A keyspace of one shard. It knows what each value ought to be, cold or not, and never looks there
// to answer.
class ModelOwner final : public TierOwner {
 public:
  explicit ModelOwner(TierFront& front) : front_(front) { front.Attach(this); }

  void Set(const std::string& key, std::string value) {
    Delete(key);
    entries_[key] = {.value = std::move(value), .location = {}, .ticket = {}};
  }
  void Delete(const std::string& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    if (!found->second.location.is_null()) front_.Free(found->second.location);
    entries_.erase(found);
  }
  WriteOutcome Demote(const std::string& key, bool urgent = false) {
    Entry& entry = entries_.at(key);
    CHECK(entry.location.is_null());
    const WriteResult result =
        front_.Write({.key = key, .value = entry.value, .owner = {}, .urgent = urgent});
    if (result.queued()) entry.ticket = result.ticket;
    return result.outcome;
  }
  // Back to memory, as a promotion would.
  void Promote(const std::string& key) {
    Entry& entry = entries_.at(key);
    if (!entry.location.is_null()) front_.Free(std::exchange(entry.location, {}));
  }

  bool Has(const std::string& key) const { return entries_.contains(key); }
  bool IsCold(const std::string& key) const { return !entries_.at(key).location.is_null(); }
  ValueLocation LocationOf(const std::string& key) const { return entries_.at(key).location; }
  const std::string& ValueOf(const std::string& key) const { return entries_.at(key).value; }
  size_t cold() const {
    size_t cold = 0;
    for (const auto& [key, entry] : entries_) cold += entry.location.is_null() ? 0 : 1;
    return cold;
  }
  const std::map<std::string, absl::Status>& not_written() const { return not_written_; }
  // Locations that are freed later than their keys go, as after FLUSHALL.
  void Drop(const std::string& key) {
    dropped_.push_back(entries_.at(key).location);
    entries_.erase(key);
  }
  void FreeDropped() {
    for (const ValueLocation& location : dropped_) front_.Free(location);
    dropped_.clear();
  }

  bool Written(std::string_view key, WriteTicket ticket, ValueLocation location) override {
    const auto found = entries_.find(std::string(key));
    if (found == entries_.end() || found->second.ticket != ticket) return false;
    found->second.ticket = {};
    found->second.location = location;
    return true;
  }
  void NotWritten(std::string_view key, WriteTicket ticket, const absl::Status& why) override {
    not_written_[std::string(key)] = why;
    const auto found = entries_.find(std::string(key));
    if (found != entries_.end() && found->second.ticket == ticket) found->second.ticket = {};
  }
  bool IsAt(std::string_view key, ValueLocation location) override {
    const auto found = entries_.find(std::string(key));
    return found != entries_.end() && found->second.location == location;
  }
  bool Moved(std::string_view key, ValueLocation from, ValueLocation to) override {
    if (!IsAt(key, from)) return false;
    entries_.at(std::string(key)).location = to;
    return true;
  }

 private:
  struct Entry {
    std::string value;  // What it ought to be, wherever it is.
    ValueLocation location;
    WriteTicket ticket;
  };

  TierFront& front_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, absl::Status> not_written_;
  std::vector<ValueLocation> dropped_;
};

class TierRig {
 public:
  struct Options {
    size_t shards = 1;
    uint64_t max_bytes = 64 * 1024;
    uint64_t segment_bytes = 4 * 1024;
    ShardFront::Options front = {.max_record_bytes = 4 * 1024 - kValueSegmentHeaderBytes,
                                 .max_write_bytes = 1 << 20,
                                 .max_reads = 64,
                                 .admission = {}};
    ValueWriter::Options writer = {.write_batch_bytes = 2048};
  };

  explicit TierRig(wal::Disk& disk) : TierRig(disk, Options()) {}
  TierRig(wal::Disk& disk, const Options& options) : tasks_(options.shards) {
    auto store = SegmentStore::Open(
        disk, "/tier",
        {.max_bytes = options.max_bytes, .segment_bytes = options.segment_bytes, .clock = &clock_});
    CHECK(store.ok());
    store_ = *std::move(store);
    writer_ = std::make_unique<ValueWriter>(
        *store_, inbox_, state_,
        [this](ShardId shard, std::function<void(FrontEvents&)> event) {
          tasks_[shard.value()].push_back(
              [this, shard, event = std::move(event)] { event(*fronts_[shard.value()]); });
        },
        options.writer);
    for (size_t shard = 0; shard < options.shards; ++shard) {
      fronts_.push_back(std::make_unique<ShardFront>(ShardId(static_cast<uint16_t>(shard)),
                                                     ShardFront::Links{.store = store_.get(),
                                                                       .inbox = &inbox_,
                                                                       .reads = &reads_,
                                                                       .state = &state_,
                                                                       .clock = &clock_},
                                                     options.front));
      owners_.push_back(std::make_unique<ModelOwner>(*fronts_.back()));
    }
  }
  // Answers that nobody took hold files of the store.
  ~TierRig() { tasks_.clear(); }

  ModelOwner& owner(size_t shard = 0) { return *owners_[shard]; }
  ShardFront& front(size_t shard = 0) { return *fronts_[shard]; }
  SegmentStore& store() { return *store_; }
  const TierState& state() const { return state_; }
  ManualClock& clock() { return clock_; }
  size_t shards() const { return fronts_.size(); }

  // --- One step each. ---

  int64_t StepWriter() { return writer_->Run(clock_.MonotonicNanos()).wait_ns; }
  // False: the shard has none.
  bool RunTask(size_t shard) {
    if (tasks_[shard].empty()) return false;
    const auto task = std::move(tasks_[shard].front());
    tasks_[shard].pop_front();
    task();
    return true;
  }
  // Carries out the oldest read that waits, whose answer is then a task. False: none waits.
  bool StepReader() {
    if (reads_.size() == 0) return false;
    const ReadJob job = *reads_.Pop();
    ++disk_reads_;
    ValueDecompressor decompressor;
    auto value = ReadValueAt(*job.segment, job.read->key, job.read->asked, decompressor);
    ShardFront* const front = fronts_[job.shard.value()].get();
    tasks_[job.shard.value()].push_back(
        [front, read = job.read, value = std::move(value)] { front->OnRead(*read, value); });
    return true;
  }

  // --- Many. ---

  // Everything that is possible without more than the time that demotions linger.
  void Settle() {
    for (int quiet = 0; quiet < 2;) {
      bool moved = StepReader();
      for (size_t shard = 0; shard < tasks_.size(); ++shard) moved |= RunTask(shard);
      const int64_t wait_ns = StepWriter();
      if (wait_ns > 0 && wait_ns <= ValueWriter::kLingerNanos) {
        clock_.AdvanceMillis(2);
        moved = true;
      }
      quiet = moved || wait_ns == 0 ? 0 : quiet + 1;
    }
  }
  // The value, from wherever it is.
  absl::StatusOr<std::string> Get(const std::string& key, size_t shard = 0) {
    if (!owner(shard).IsCold(key)) return owner(shard).ValueOf(key);
    return ReadCold(key, owner(shard).LocationOf(key), shard);
  }
  absl::StatusOr<std::string> ReadCold(const std::string& key, ValueLocation location,
                                       size_t shard = 0) {
    absl::StatusOr<std::string> result = absl::UnknownError("not answered");
    const absl::Status asked =
        front(shard).Read(key, location, [&](ValueLocation, absl::StatusOr<ReadValue> value) {
          result = value.ok() ? absl::StatusOr<std::string>(std::string(value->bytes))
                              : absl::StatusOr<std::string>(value.status());
        });
    if (!asked.ok()) return asked;
    while (StepReader() || RunTask(shard)) {
    }
    return result;
  }

  size_t disk_reads() const { return disk_reads_; }

 private:
  ManualClock clock_;
  std::unique_ptr<SegmentStore> store_;
  WriterInbox inbox_;
  ReadQueue reads_;
  TierState state_;
  std::unique_ptr<ValueWriter> writer_;
  std::vector<std::unique_ptr<ShardFront>> fronts_;
  std::vector<std::unique_ptr<ModelOwner>> owners_;
  std::vector<std::deque<std::function<void()>>> tasks_;
  size_t disk_reads_ = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_TIER_TEST_UTIL_H_
