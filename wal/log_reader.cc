#include "wal/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "base/check.h"

namespace tidemark::wal {
namespace {

// Fetched from the tail at once: few locks, and little that is held beyond the tail's own bound.
constexpr size_t kFetchEntries = 64;

bool AtOrBelow(std::span<const Sequence> left, const Watermarks& right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), std::less_equal<>());
}

}  // namespace

LogReader::LogReader(const DataDirectory& directory, const LiveLog* log, HistoryId history,
                     Watermarks after, Shows shows)
    : directory_(directory),
      log_(log),
      shows_(shows),
      manifest_(log != nullptr ? log->manifest() : directory.manifest()),
      history_(history),
      position_(std::move(after)) {}

LogReader::~LogReader() = default;

absl::StatusOr<std::unique_ptr<LogReader>> LogReader::Open(const DataDirectory& directory,
                                                           const LiveLog* log, HistoryId history,
                                                           Watermarks after,
                                                           std::vector<LostRecords>* lost,
                                                           Shows shows) {
  std::unique_ptr<LogReader> reader(
      new LogReader(directory, log, history, std::move(after), shows));
  if (absl::Status s = reader->CheckStart(); !s.ok()) return s;
  reader->FollowForks();
  if (absl::Status s = reader->Seek(lost); !s.ok()) return s;
  return reader;
}

absl::Status LogReader::CheckStart() const {
  const History* const history = manifest_.Find(history_);
  if (history == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("history {:016x} is not one of this directory's", history_.value()));
  }
  if (position_.size() != history->shard_count) {
    return absl::InvalidArgumentError(fmt::format("a position of {} shards in a history of {}",
                                                  position_.size(), history->shard_count));
  }
  const Positions* const end = manifest_.EndOf(history_);
  for (size_t shard = 0; shard < position_.size(); ++shard) {
    std::optional<Sequence> most;
    if (end != nullptr) most = (*end)[shard].sequence;
    if (IsLive(history_) && shows_ == Shows::kDurable)
      most = log_->durable(ShardId(static_cast<uint16_t>(shard)));
    if (most.has_value() && position_[shard] > *most) {
      return absl::FailedPreconditionError(
          fmt::format("shard {}: position {} is beyond {}, where history {:016x} {}", shard,
                      position_[shard].value(), most->value(), history_.value(),
                      end != nullptr ? "ends" : "is durable"));
    }
  }
  return absl::OkStatus();
}

bool LogReader::IsLive(HistoryId history) const {
  return log_ != nullptr && history == log_->history();
}

size_t LogReader::Age(HistoryId id) const {
  const auto& histories = manifest_.histories;
  const auto found = std::find_if(histories.begin(), histories.end(),
                                  [&](const History& history) { return history.id == id; });
  // Forgotten: older than all that are known.
  if (found == histories.end()) return histories.size();
  return static_cast<size_t>(histories.end() - found) - 1;
}

void LogReader::FollowForks() {
  for (const Positions* end = manifest_.EndOf(history_); end != nullptr;
       end = manifest_.EndOf(history_)) {
    const Watermarks fork = SequencesOf(*end);
    if (!AtOrBelow(fork, position_)) return;
    const History& child = manifest_.histories[manifest_.histories.size() - Age(history_)];
    if (child.shard_count != fork.size()) position_.assign(child.shard_count, Sequence());
    history_ = child.id;
  }
}

// --- Finding the place ---

Watermarks LogReader::NeededBefore(const SegmentHeader& header) const {
  Watermarks before = SequencesOf(header.before);
  if (const Positions* end = manifest_.EndOf(header.history)) {
    for (size_t shard = 0; shard < before.size(); ++shard) {
      before[shard] = std::min(before[shard], (*end)[shard].sequence);
    }
  }
  return before;
}

absl::Status LogReader::Seek(std::vector<LostRecords>* lost) {
  segment_.reset();
  tail_index_.reset();
  fetched_.clear();
  next_fetched_ = 0;
  if (IsLive(history_)) {
    const LogPosition begin = log_->tail().begin();
    tail_index_ = log_->tail().IndexAfter(position_);
    if (tail_index_.has_value()) {
      // An entry let go of between the two calls makes `begin` too early, which does no harm.
      at_ = begin;
      return absl::OkStatus();
    }
  }
  absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSegments();
  if (!numbers.ok()) return numbers.status();
  // From the newest back to the first that begins at or before the position.
  std::optional<SegmentHeader> oldest;  // Of this history.
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    absl::StatusOr<std::unique_ptr<SegmentReader>> segment = OpenSegment(*number);
    if (absl::IsNotFound(segment.status())) break;  // Pruned just now, as all before it.
    if (!segment.ok()) return segment.status();
    const SegmentHeader* const header = (*segment)->header();
    if (header == nullptr) continue;  // Torn: it has no frame.
    if (Age(header->history) < Age(history_)) continue;
    if (Age(header->history) > Age(history_)) break;
    if (AtOrBelow(NeededBefore(*header), position_)) {
      at_ = {.segment = *number, .offset = 0};
      return absl::OkStatus();
    }
    oldest = *header;
  }
  if (oldest.has_value()) return Lost(NeededBefore(*oldest), lost);
  if (const Positions* end = manifest_.EndOf(history_)) return Lost(SequencesOf(*end), lost);
  // Nothing of the newest history was ever written.
  at_ = {.segment = numbers->empty() ? 1 : numbers->back() + 1, .offset = 0};
  return absl::OkStatus();
}

absl::Status LogReader::Lost(const Watermarks& available_after, std::vector<LostRecords>* lost) {
  std::string text;
  for (size_t shard = 0; shard < position_.size(); ++shard) {
    if (position_[shard] >= available_after[shard]) continue;
    const LostRecords range{.shard = ShardId(static_cast<uint16_t>(shard)),
                            .first = tidemark::Next(position_[shard]),
                            .last = available_after[shard]};
    text += fmt::format("{}shard {}: {} to {}", text.empty() ? "" : ", ", shard,
                        range.first.value(), range.last.value());
    if (lost != nullptr) lost->push_back(range);
  }
  return absl::NotFoundError(
      fmt::format("the log no longer has what follows the position in history {:016x}: {}",
                  history_.value(), text));
}

absl::StatusOr<std::unique_ptr<SegmentReader>> LogReader::OpenSegment(uint64_t number) {
  SegmentReader::Expectations expected{.directory = directory_.id(),
                                       .number = number,
                                       .tail = SegmentTail::kSealed,
                                       .limit_bytes = std::numeric_limits<uint64_t>::max()};
  growing_ = false;
  if (log_ != nullptr) {
    const LogPosition end = log_->tail().end();
    if (number == end.segment) {
      growing_ = true;
      expected.tail = SegmentTail::kGrowing;
      expected.limit_bytes = end.offset;
    }
  } else {
    absl::StatusOr<std::optional<uint64_t>> following = SegmentAfter(number);
    if (!following.ok()) return following.status();
    if (!following->has_value()) expected.tail = SegmentTail::kMayBeTorn;
  }
  return SegmentReader::Open(directory_.disk(), directory_.SegmentPath(number), expected);
}

absl::StatusOr<std::optional<uint64_t>> LogReader::SegmentAfter(uint64_t number) const {
  absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSegments();
  if (!numbers.ok()) return numbers.status();
  const auto next = std::upper_bound(numbers->begin(), numbers->end(), number);
  if (next == numbers->end()) return std::nullopt;
  return *next;
}

// --- Reading ---

absl::StatusOr<std::optional<LogReader::Item>> LogReader::Next() {
  if (!failure_.ok()) return failure_;
  if (!held_.has_value()) {
    absl::StatusOr<std::optional<Item>> item = NextWritten();
    if (!item.ok()) return failure_ = item.status();
    held_ = *std::move(item);
  }
  if (!held_.has_value() || !MayBeShown(*held_)) return std::nullopt;
  position_[held_->frame->shard().value()] = held_->through;
  FollowForks();
  return std::exchange(held_, std::nullopt);
}

bool LogReader::MayBeShown(const Item& item) const {
  if (shows_ == Shows::kWritten) return true;  // The tail and the limit show what is written.
  return !IsLive(item.frame->history()) || log_->durable(item.frame->shard()) >= item.through;
}

absl::StatusOr<std::optional<LogReader::Item>> LogReader::NextWritten() {
  while (true) {
    if (!tail_index_.has_value() && log_ != nullptr) tail_index_ = log_->tail().IndexOf(at_);
    absl::StatusOr<std::optional<Read>> read = tail_index_.has_value() ? ReadTail() : ReadSegment();
    if (!read.ok()) return read.status();
    if (!read->has_value()) return std::nullopt;
    if ((*read)->frame == nullptr) continue;  // Another place; look there.
    absl::StatusOr<std::optional<Item>> item = Sift(**read);
    if (!item.ok() || item->has_value()) return item;
  }
}

absl::StatusOr<std::optional<LogReader::Read>> LogReader::ReadTail() {
  if (next_fetched_ == fetched_.size()) {
    fetched_.clear();
    next_fetched_ = 0;
    if (!log_->tail().Read(*tail_index_, kFetchEntries, &fetched_)) {
      // Overtaken: the disk has it.
      tail_index_.reset();
      segment_.reset();
      return Read();
    }
    if (fetched_.empty()) return std::nullopt;
  }
  LogTail::Entry entry = std::move(fetched_[next_fetched_++]);
  ++*tail_index_;
  at_ = {.segment = entry.position.segment, .offset = entry.end_offset};
  return Read{.frame = std::move(entry.frame), .position = entry.position};
}

absl::StatusOr<std::optional<LogReader::Read>> LogReader::ReadSegment() {
  if (segment_ == nullptr) {
    absl::StatusOr<std::unique_ptr<SegmentReader>> opened = OpenSegment(at_.segment);
    if (absl::IsNotFound(opened.status())) return SegmentIsGone();
    if (!opened.ok()) return opened.status();
    segment_ = *std::move(opened);
    const SegmentHeader* const header = segment_->header();
    if (header != nullptr && header->history == history_ &&
        !AtOrBelow(NeededBefore(*header), position_)) {
      return Lost(NeededBefore(*header), nullptr);
    }
  }
  while (true) {
    absl::StatusOr<std::optional<SegmentReader::Item>> next = segment_->Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) break;
    const LogPosition position{.segment = at_.segment, .offset = (*next)->offset};
    if (position < at_) continue;  // Read before, from memory or when the segment was growing.
    at_.offset = segment_->end_bytes();
    return Read{.frame = std::move((*next)->frame), .position = position};
  }
  return growing_ ? AtGrowingEnd() : AtSegmentEnd();
}

absl::StatusOr<std::optional<LogReader::Read>> LogReader::AtGrowingEnd() {
  const LogPosition end = log_->tail().end();
  if (end.segment != at_.segment) {
    // It was sealed since: the rest of it is read as that of any other.
    segment_.reset();
    return Read();
  }
  if (end.offset <= segment_->end_bytes()) return std::nullopt;
  segment_->set_limit_bytes(end.offset);
  return Read();
}

absl::StatusOr<std::optional<LogReader::Read>> LogReader::AtSegmentEnd() {
  absl::StatusOr<std::optional<uint64_t>> following = SegmentAfter(at_.segment);
  if (!following.ok()) return following.status();
  // None while the next cannot be made, the disk being full; or the end of a log that nobody
  // writes.
  if (!following->has_value()) return std::nullopt;
  at_ = {.segment = **following, .offset = 0};
  segment_.reset();
  return Read();
}

absl::StatusOr<std::optional<LogReader::Read>> LogReader::SegmentIsGone() {
  absl::StatusOr<std::optional<uint64_t>> following = SegmentAfter(at_.segment);
  if (!following.ok()) return following.status();
  if (!following->has_value()) return std::nullopt;  // Nothing was ever written.
  if (absl::Status s = Seek(nullptr); !s.ok()) return s;
  return Read();
}

absl::StatusOr<std::optional<LogReader::Item>> LogReader::Sift(const Read& read) {
  const Frame& frame = *read.frame;
  // The void rest of a parent, behind its fork.
  if (Age(frame.history()) > Age(history_)) return std::nullopt;
  const size_t shard = frame.shard().value();
  if (frame.history() != history_) return Gap(read, "begins, yet the one before it has not ended");
  if (frame.last_sequence() <= position_[shard]) return std::nullopt;
  Item item{.frame = read.frame,
            .after = Sequence(frame.first_sequence().value() - 1),
            .through = frame.last_sequence(),
            .position = read.position};
  if (const Positions* end = manifest_.EndOf(history_)) {
    item.through = std::min(item.through, (*end)[shard].sequence);
    if (item.through <= item.after || item.through <= position_[shard]) return std::nullopt;
  }
  if (item.after > position_[shard]) {
    return Gap(read, fmt::format("goes on at sequence {} after {}", frame.first_sequence().value(),
                                 position_[shard].value()));
  }
  item.after = position_[shard];
  return item;
}

absl::Status LogReader::Gap(const Read& read, std::string_view problem) const {
  return absl::DataLossError(fmt::format(
      "{}, byte {}: history {:016x}, shard {}: {}", directory_.SegmentPath(read.position.segment),
      read.position.offset, read.frame->history().value(), read.frame->shard().value(), problem));
}

}  // namespace tidemark::wal
