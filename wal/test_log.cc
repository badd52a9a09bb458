#include "wal/test_log.h"

#include <algorithm>

#include "base/check.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/key_hash.h"
#include "wal/format/segment.h"

namespace tidemark::wal {
namespace {

constexpr uint64_t kSegmentBytes = 64 << 10;

ShardId Shard(int shard) { return ShardId(static_cast<uint16_t>(shard)); }

char* Encode(char* p, const TestRecord& record) {
  char* unused;
  switch (record.op) {
    case TestRecord::Op::kPut:
      return EncodeSet(p, record.key, record.value, 0);
    case TestRecord::Op::kErase:
      return EncodeDelete(p, record.key, 0);
    case TestRecord::Op::kFlush:
      return EncodeFlush(p);
    case TestRecord::Op::kTransaction:
      return EncodeTransaction(p, record.id, record.records, record.participants, &unused);
  }
  return p;
}

}  // namespace

TestRecord Put(std::string key, std::string value) {
  TestRecord record;
  record.key = std::move(key);
  record.value = std::move(value);
  return record;
}

TestRecord Erase(std::string key) {
  TestRecord record;
  record.op = TestRecord::Op::kErase;
  record.key = std::move(key);
  return record;
}

TestRecord FlushShard() {
  TestRecord record;
  record.op = TestRecord::Op::kFlush;
  return record;
}

TestRecord Transaction(uint64_t id, uint32_t records, std::vector<int> participants) {
  TestRecord record;
  record.op = TestRecord::Op::kTransaction;
  record.id = id;
  record.records = records;
  for (const int shard : participants) record.participants.push_back(Shard(shard));
  return record;
}

void ApplyTo(KeyMap& state, const TestRecord& record, ShardId shard, int shard_count) {
  switch (record.op) {
    case TestRecord::Op::kPut:
      state[record.key] = record.value;
      break;
    case TestRecord::Op::kErase:
      state.erase(record.key);
      break;
    case TestRecord::Op::kFlush:
      std::erase_if(state, [&](const auto& entry) {
        return ShardOf(entry.first, KeyHash(entry.first), shard_count) == shard;
      });
      break;
    case TestRecord::Op::kTransaction:
      break;
  }
}

FrameRef MakeFrame(HistoryId history, ShardId shard, int shard_count, ShardPosition before,
                   const std::vector<TestRecord>& records) {
  OpenFrame open;
  uint16_t flags = 0;
  for (const TestRecord& record : records) {
    char* p = open.Reserve(RecordBytesBound(record.key.size(), record.value.size()) +
                           TransactionBytesBound(record.participants.size()));
    open.Commit(Encode(p, record));
    if (record.op == TestRecord::Op::kTransaction) flags = kFrameTransactions;
  }
  return open.Seal({.kind = FrameKind::kMutations,
                    .flags = flags,
                    .history = history,
                    .shard = shard,
                    .shard_count = static_cast<uint16_t>(shard_count),
                    .record_count = static_cast<uint32_t>(records.size()),
                    .first_sequence = Next(before.sequence),
                    .last_sequence = Sequence(before.sequence.value() + records.size()),
                    .stream_digest = StreamDigest(before.digest, open.payload()),
                    .sealed_at_ms = 1000,
                    .raw_bytes = 0,
                    .stored_bytes = 0});
}

TestLog::TestLog(const DataDirectory& directory, HistoryId history, Positions begin,
                 uint64_t first_segment, KeyMap state)
    : directory_(directory),
      history_(history),
      state_(std::move(state)),
      positions_(std::move(begin)),
      synced_(positions_),
      segment_(first_segment) {
  Begin();
}

void TestLog::Note(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

void TestLog::Begin() {
  absl::StatusOr<std::unique_ptr<File>> file =
      directory_.disk().OpenFile(path(), Disk::Open::kCreate);
  Note(file.status());
  if (!status_.ok()) return;
  file_ = *std::move(file);
  const std::string header = EncodeSegmentHeader({.directory = directory_.id(),
                                                  .number = segment_,
                                                  .created_at_ms = 1000,
                                                  .history = history_,
                                                  .before = positions_});
  Note(file_->Allocate(kSegmentBytes));
  if (status_.ok()) Note(file_->WriteAt(0, header));
  if (status_.ok()) Note(file_->Sync());
  if (status_.ok()) Note(directory_.Sync());
  offset_ = synced_to_ = header.size();
  frames_ = 0;
  mark_due_ = true;
}

void TestLog::Write(int shard, const std::vector<TestRecord>& records) {
  if (!status_.ok()) return;
  std::string bytes;
  if (mark_due_) {
    bytes.resize(kMarkBytes);
    EncodeMark({.directory = directory_.id(), .number = segment_, .offset = offset_},
               {.synced_to = synced_to_, .written_at_ms = 1000}, bytes.data());
    mark_due_ = false;
  }
  ShardPosition& position = positions_[static_cast<size_t>(shard)];
  const FrameRef frame = MakeFrame(history_, Shard(shard), shard_count(), position, records);
  bytes += frame->bytes();
  for (const TestRecord& record : records) {
    position.sequence = Next(position.sequence);
    written_.push_back({Shard(shard), position.sequence, record});
  }
  position.digest = frame->stream_digest();
  Note(file_->WriteAt(offset_, bytes));
  offset_ += bytes.size();
  ++frames_;
}

void TestLog::Sync() {
  if (!status_.ok()) return;
  Note(file_->Sync());
  if (!status_.ok()) return;
  synced_ = positions_;
  synced_to_ = offset_;
  mark_due_ = true;
}

void TestLog::Seal() {
  if (!status_.ok()) return;
  const std::string footer = EncodeFooter(
      {.directory = directory_.id(), .number = segment_, .offset = offset_},
      {.synced_to = synced_to_, .written_at_ms = 1000, .frames = frames_, .after = positions_});
  Note(file_->WriteAt(offset_, footer));
  if (status_.ok()) Note(file_->Truncate(offset_ + footer.size()));
  if (status_.ok()) Note(file_->Sync());
  if (status_.ok()) synced_ = positions_;
}

void TestLog::Roll() {
  Seal();
  if (!status_.ok()) return;
  ++segment_;
  Begin();
}

KeyMap TestLog::StateAt(const Watermarks& at) const {
  KeyMap state = state_;
  for (const Written& written : written_) {
    if (written.sequence > at[written.shard.value()]) continue;
    ApplyTo(state, written.record, written.shard, shard_count());
  }
  return state;
}

bool TestLog::IsConsistent(const Watermarks& at) const {
  std::map<uint64_t, size_t> parts;  // Wholly at or below `at`.
  std::map<uint64_t, size_t> participants;
  for (const Written& written : written_) {
    const TestRecord& record = written.record;
    if (record.op != TestRecord::Op::kTransaction) continue;
    const Sequence limit = at[written.shard.value()];
    participants[record.id] = record.participants.size();
    if (written.sequence.value() + record.records <= limit.value()) {
      ++parts[record.id];
    } else if (written.sequence <= limit) {
      return false;
    }
  }
  return std::all_of(parts.begin(), parts.end(),
                     [&](const auto& part) { return part.second == participants[part.first]; });
}

}  // namespace tidemark::wal
