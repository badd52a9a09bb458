#include "wal/export/fake_export_source.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "fmt/format.h"

namespace tidemark::wal {
namespace {

FrameRef MakeChunk(HistoryId history, ShardId shard, int shard_count, Sequence at,
                   uint32_t entries) {
  OpenFrame open;
  for (uint32_t i = 0; i < entries; ++i) {
    const std::string key = fmt::format("snapshot/{}/{}", shard.value(), i);
    char* p = open.Reserve(RecordBytesBound(key.size(), 1));
    open.Commit(EncodeSet(p, key, "v", 0));
  }
  open.Reserve(1);
  return open.Seal({.kind = FrameKind::kSnapshotChunk,
                    .flags = kFrameFirst | kFrameLast,
                    .history = history,
                    .shard = shard,
                    .shard_count = static_cast<uint16_t>(shard_count),
                    .record_count = entries,
                    .first_sequence = at,
                    .last_sequence = at});
}

ExportFault Foreign() {
  return {.kind = ExportFault::Kind::kForeignHistory, .text = "a foreign history", .lost = {}};
}

}  // namespace

std::string TestKey(HistoryId history, ShardId shard, Sequence sequence) {
  return fmt::format("{}/{}/{}", history.value(), shard.value(), sequence.value());
}

FrameRef MakeTestFrame(HistoryId history, ShardId shard, int shard_count, Sequence first,
                       uint32_t records, size_t value_bytes) {
  OpenFrame open;
  for (uint32_t i = 0; i < records; ++i) {
    const std::string key = TestKey(history, shard, Sequence(first.value() + i));
    char* p = open.Reserve(RecordBytesBound(key.size(), value_bytes));
    open.Commit(EncodeSet(p, key, std::string(value_bytes, 'v'), 0));
  }
  return open.Seal({.history = history,
                    .shard = shard,
                    .shard_count = static_cast<uint16_t>(shard_count),
                    .record_count = records,
                    .first_sequence = first,
                    .last_sequence = Sequence(first.value() + records - 1)});
}

// --- The cursor ---

class FakeExportCursor final : public ExportCursor {
 public:
  FakeExportCursor(FakeExportSource* source, std::string consumer, ExportPosition begin,
                   std::vector<FrameRef> chunks, bool snapshot)
      : source_(source),
        consumer_(std::move(consumer)),
        begin_(std::move(begin)),
        at_(begin_),
        chunks_(std::move(chunks)),
        has_snapshot_(snapshot),
        in_snapshot_(snapshot) {}

  const ExportPosition& begin() const override { return begin_; }
  bool has_snapshot() const override { return has_snapshot_; }

  ExportItem Next() override {
    std::lock_guard lock(source_->mutex_);
    if (source_->broken_) return ExportFault{.text = "the disk failed", .lost = {}};
    if (in_snapshot_) {
      if (next_chunk_ < chunks_.size()) return chunks_[next_chunk_++];
      in_snapshot_ = false;
      return SnapshotDone{};
    }
    auto& histories = source_->histories_;
    const auto history = std::find_if(histories.begin(), histories.end(),
                                      [&](const auto& h) { return h.id == at_.history; });
    for (size_t i = 0; i < history->shards.size(); ++i) {
      const size_t shard = (turn_ + i) % history->shards.size();
      const auto& s = history->shards[shard];
      Sequence& at = at_.sequences[shard];
      if (at < s.dropped) {
        return ExportFault{
            .kind = ExportFault::Kind::kPositionLost,
            .text = "retention dropped it",
            .lost = {{ShardId(static_cast<uint16_t>(shard)), tidemark::Next(at), s.dropped}}};
      }
      const auto next =
          std::partition_point(s.frames.begin(), s.frames.end(),
                               [&](const FrameRef& frame) { return frame->last_sequence() <= at; });
      if (next == s.frames.end() || (*next)->last_sequence() > s.durable) continue;
      at = (*next)->last_sequence();
      turn_ = shard + 1;
      return *next;
    }
    if (history->fork.empty()) return CaughtUp{};
    const auto child = std::next(history);
    at_ = {.history = child->id, .sequences = history->fork};
    if (child->shards.size() != history->fork.size()) {
      at_.sequences.assign(child->shards.size(), Sequence());
    }
    return HistoryStart{at_};
  }

  uint64_t Acknowledge(const ExportPosition& acked) override {
    uint64_t sum = 1;
    for (const Sequence sequence : acked.sequences) sum += sequence.value();
    std::lock_guard lock(source_->mutex_);
    return source_->kept_[consumer_] = sum;
  }

 private:
  FakeExportSource* const source_;
  const std::string consumer_;
  const ExportPosition begin_;
  ExportPosition at_;
  const std::vector<FrameRef> chunks_;
  const bool has_snapshot_;
  bool in_snapshot_;
  size_t next_chunk_ = 0;
  size_t turn_ = 0;
};

// --- The log ---

FakeExportSource::FakeExportSource(HistoryId history, int shards) {
  histories_.push_back(
      {.id = history, .shards = std::vector<Shard>(static_cast<size_t>(shards)), .fork = {}});
}

FakeExportSource::~FakeExportSource() = default;

void FakeExportSource::Append(int shard, uint32_t records, size_t value_bytes) {
  std::lock_guard lock(mutex_);
  History& newest = histories_.back();
  Shard& s = newest.shards[static_cast<size_t>(shard)];
  s.frames.push_back(MakeTestFrame(newest.id, ShardId(static_cast<uint16_t>(shard)),
                                   static_cast<int>(newest.shards.size()), tidemark::Next(s.last),
                                   records, value_bytes));
  s.last = s.frames.back()->last_sequence();
}

void FakeExportSource::Sync() {
  std::lock_guard lock(mutex_);
  for (Shard& s : histories_.back().shards) s.durable = s.last;
}

void FakeExportSource::DropDurable() {
  std::lock_guard lock(mutex_);
  for (Shard& s : histories_.back().shards) s.dropped = s.durable;
}

void FakeExportSource::TakeSnapshot(uint32_t entries) {
  std::lock_guard lock(mutex_);
  snapshot_ = std::make_unique<Snapshot>();
  snapshot_->position = DurableLocked();
  const Watermarks& at = snapshot_->position.sequences;
  for (size_t i = 0; i < at.size(); ++i) {
    snapshot_->chunks.push_back(MakeChunk(snapshot_->position.history,
                                          ShardId(static_cast<uint16_t>(i)),
                                          static_cast<int>(at.size()), at[i], entries));
  }
}

void FakeExportSource::Fork(HistoryId child, int shards) {
  std::lock_guard lock(mutex_);
  History& parent = histories_.back();
  parent.fork = DurableLocked().sequences;
  History next{.id = child, .shards = std::vector<Shard>(static_cast<size_t>(shards)), .fork = {}};
  if (next.shards.size() == parent.shards.size()) {
    for (size_t i = 0; i < next.shards.size(); ++i) {
      next.shards[i].last = next.shards[i].durable = parent.fork[i];
    }
  }
  histories_.push_back(std::move(next));
}

void FakeExportSource::BreakDisk() {
  std::lock_guard lock(mutex_);
  broken_ = true;
}

void FakeExportSource::Lose(const std::string& consumer) {
  std::lock_guard lock(mutex_);
  lost_.insert(consumer);
}

bool FakeExportSource::Lost(const std::string& consumer) const {
  std::lock_guard lock(mutex_);
  return lost_.contains(consumer);
}

HistoryId FakeExportSource::history() const {
  std::lock_guard lock(mutex_);
  return histories_.back().id;
}

std::map<std::string, uint64_t> FakeExportSource::kept() const {
  std::lock_guard lock(mutex_);
  return kept_;
}

// --- ExportSource ---

ExportPosition FakeExportSource::DurableLocked() const {
  ExportPosition durable{.history = histories_.back().id, .sequences = {}};
  for (const Shard& s : histories_.back().shards) durable.sequences.push_back(s.durable);
  return durable;
}

ExportPosition FakeExportSource::Durable() {
  std::lock_guard lock(mutex_);
  return DurableLocked();
}

ExportOpened FakeExportSource::Open(const std::string& consumer, const ExportStart& start) {
  std::lock_guard lock(mutex_);
  return OpenLocked(consumer, start);
}

ExportOpened FakeExportSource::OpenLocked(const std::string& consumer, const ExportStart& start) {
  ExportPosition at = DurableLocked();
  std::vector<FrameRef> chunks;
  switch (start.from) {
    case ExportStart::From::kNow:
      break;
    case ExportStart::From::kSnapshot:
      if (snapshot_ != nullptr) {
        at = snapshot_->position;
        chunks = snapshot_->chunks;
        break;
      }
      [[fallthrough]];
    case ExportStart::From::kBeginning:
      at.history = histories_.front().id;
      at.sequences.assign(histories_.front().shards.size(), Sequence());
      break;
    case ExportStart::From::kPosition: {
      const auto history =
          std::find_if(histories_.begin(), histories_.end(),
                       [&](const History& h) { return h.id == start.position.history; });
      if (history == histories_.end()) return Foreign();
      if (start.position.sequences.size() != history->shards.size()) {
        return ExportFault{.kind = ExportFault::Kind::kBadPosition, .text = "shards", .lost = {}};
      }
      for (size_t i = 0; i < history->shards.size(); ++i) {
        const Sequence end = history->fork.empty() ? history->shards[i].durable : history->fork[i];
        if (start.position.sequences[i] > end) return Foreign();
        if (start.position.sequences[i] < history->shards[i].dropped) {
          return ExportFault{
              .kind = ExportFault::Kind::kPositionLost,
              .text = "retention dropped it",
              .lost = {{ShardId(static_cast<uint16_t>(i)),
                        tidemark::Next(start.position.sequences[i]), history->shards[i].dropped}}};
        }
      }
      at = start.position;
      break;
    }
  }
  const bool snapshot = !chunks.empty();
  return std::make_unique<FakeExportCursor>(this, consumer, std::move(at), std::move(chunks),
                                            snapshot);
}

void FakeExportSource::Keep(const std::string& consumer, uint64_t segment) {
  std::lock_guard lock(mutex_);
  kept_[consumer] = segment;
}

void FakeExportSource::Forget(const std::string& consumer) {
  std::lock_guard lock(mutex_);
  kept_.erase(consumer);
  lost_.erase(consumer);
}

}  // namespace tidemark::wal
