#include "wal/log_tail.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidemark::wal {

LogTail::LogTail(size_t max_bytes, Watermarks before, LogPosition begin)
    : max_bytes_(max_bytes), before_(std::move(before)), begin_(begin), end_(begin) {}

void LogTail::Append(std::span<const Entry> entries, LogPosition end) {
  std::lock_guard lock(mutex_);
  for (const Entry& entry : entries) {
    DCHECK(entry.position >= end_);
    bytes_ += entry.frame->memory_bytes();
    entries_.push_back(entry);
    while (bytes_ > max_bytes_ && entries_.size() > 1) EvictOldest();
  }
  end_ = end;
}

void LogTail::EvictOldest() {
  const Entry& oldest = entries_.front();
  before_[oldest.frame->shard().value()] = oldest.frame->last_sequence();
  begin_ = {.segment = oldest.position.segment, .offset = oldest.end_offset};
  bytes_ -= oldest.frame->memory_bytes();
  entries_.pop_front();
  ++first_index_;
}

std::optional<uint64_t> LogTail::IndexOf(LogPosition position) const {
  std::lock_guard lock(mutex_);
  if (position < begin_) return std::nullopt;
  const auto entry = std::partition_point(entries_.begin(), entries_.end(),
                                          [&](const Entry& e) { return e.position < position; });
  return first_index_ + static_cast<uint64_t>(entry - entries_.begin());
}

std::optional<uint64_t> LogTail::IndexAfter(std::span<const Sequence> after) const {
  std::lock_guard lock(mutex_);
  if (after.size() != before_.size()) return std::nullopt;
  for (size_t shard = 0; shard < before_.size(); ++shard) {
    if (after[shard] < before_[shard]) return std::nullopt;
  }
  return first_index_;
}

bool LogTail::Read(uint64_t index, size_t max_entries, std::vector<Entry>* out) const {
  std::lock_guard lock(mutex_);
  if (index < first_index_) return false;
  const uint64_t end = std::min<uint64_t>(first_index_ + entries_.size(), index + max_entries);
  for (; index < end; ++index) out->push_back(entries_[index - first_index_]);
  return true;
}

LogPosition LogTail::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

LogPosition LogTail::begin() const {
  std::lock_guard lock(mutex_);
  return begin_;
}

size_t LogTail::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace tidemark::wal
