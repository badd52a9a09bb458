#include "cache/cold_values.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidemark::cache {

ColdValues::ColdValues(const Options& options, Keyspace* keyspace, tier::TierFront* front)
    : options_(options), keyspace_(keyspace), front_(front) {
  keyspace_->set_tier(front_);
  keyspace_->set_victim_taker(this);
  front_->Attach(this);
}

ColdValues::~ColdValues() = default;

// --- To disk ---

bool ColdValues::Wants(const Entry& entry) {
  return !entry.cold() && entry.value_bytes() >= options_.min_value_bytes &&
         entry.value_bytes() < too_large_bytes_ && TakesAny() &&
         (writing_hashes_.empty() || !writing_hashes_.contains(KeyHash(entry.key())));
}

bool ColdValues::Take(const Entry& entry, uint64_t hash) {
  const size_t bytes = entry.value_bytes();
  if (writing_bytes_ + bytes > kMaxWritingBytes && writing_bytes_ > 0) return false;
  // Kept until it is written, to see whether it is still the value then.
  BufferRef value = entry.value_buffer();
  if (!value) value = Buffer::Copy(entry.value());
  const tier::WriteResult result =
      front_->Write({.key = entry.key(), .value = value->view(), .owner = value, .urgent = true});
  switch (result.outcome) {
    case tier::WriteOutcome::kQueued:
      break;
    case tier::WriteOutcome::kTooLarge:
      too_large_bytes_ = std::min(too_large_bytes_, bytes);
      return false;
    case tier::WriteOutcome::kFull:
    case tier::WriteOutcome::kDown:
      refused_until_ms_ = keyspace_->now_ms() + kRefusedPauseMs;
      return false;
    case tier::WriteOutcome::kNotAdmitted:
    case tier::WriteOutcome::kBusy:
      return false;
  }
  if (writing_.empty()) heard_ms_ = keyspace_->now_ms();
  writing_.emplace(result.ticket, Writing{.value = std::move(value), .hash = hash});
  writing_hashes_.insert(hash);
  writing_bytes_ += bytes;
  return true;
}

ColdValues::Writing ColdValues::TakeWriting(tier::WriteTicket ticket) {
  const auto it = writing_.find(ticket);
  CHECK(it != writing_.end());
  Writing writing = std::move(it->second);
  writing_.erase(it);
  heard_ms_ = keyspace_->now_ms();
  writing_hashes_.erase(writing.hash);
  writing_bytes_ -= writing.value->size();
  return writing;
}

bool ColdValues::Written(std::string_view key, tier::WriteTicket ticket,
                         tier::ValueLocation location) {
  const Writing writing = TakeWriting(ticket);
  // Whichever has that value: it is only once on disk.
  const KeyRef ref{key, writing.hash};
  Keyspace* const beside = keyspace_->beside();
  if (!keyspace_->MakeCold(ref, writing.value->view(), location) &&
      (beside == nullptr || !beside->MakeCold(ref, writing.value->view(), location))) {
    ++counters_.demotions_stale;
    return false;
  }
  ++counters_.demoted;
  counters_.demoted_bytes += writing.value->size();
  return true;
}

void ColdValues::NotWritten(std::string_view key, tier::WriteTicket ticket,
                            const absl::Status& why) {
  TakeWriting(ticket);
  ++counters_.demotions_failed;
}

bool ColdValues::IsAt(std::string_view key, tier::ValueLocation location) {
  const Keyspace* const beside = keyspace_->beside();
  const KeyRef ref = KeyRef::Of(key);
  return keyspace_->IsAt(ref, location) || (beside != nullptr && beside->IsAt(ref, location));
}

bool ColdValues::Moved(std::string_view key, tier::ValueLocation from, tier::ValueLocation to) {
  Keyspace* const beside = keyspace_->beside();
  const KeyRef ref = KeyRef::Of(key);
  return keyspace_->Relocate(ref, from, to) ||
         (beside != nullptr && beside->Relocate(ref, from, to));
}

// --- For commands ---

bool ColdValues::StageCached(std::vector<NeededValue>& needed, StagedValues& staged) {
  std::erase_if(needed, [&](const NeededValue& value) { return StageIfCached(value, staged); });
  return needed.empty();
}

bool ColdValues::StageIfCached(const NeededValue& value, StagedValues& staged) {
  if (value.at.is_null()) return false;
  if (staged.contains(value.at)) return true;  // A command may name a key twice.
  if (value.at.bytes > cached_bytes_left_) {
    ++counters_.cached_put_off;
    return false;
  }
  auto read = front_->ReadIfCached(value.key, value.at);
  const size_t cost = read ? std::max<size_t>(value.at.bytes, kLeastCachedCost) : kNotCachedCost;
  cached_bytes_left_ -= std::min(cost, cached_bytes_left_);
  if (!read) return false;
  Stage(value.key, value.at, *std::move(read), staged);
  return true;
}

void ColdValues::Fetch(std::vector<NeededValue> needed, StagedValues* staged,
                       absl::AnyInvocable<void()> done) {
  CHECK(!needed.empty());
  ++fetches_under_way_;
  ++counters_.commands_waited;
  const auto fetching = std::make_shared<Fetching>(
      Fetching{.staged = staged, .done = std::move(done), .missing = needed.size()});
  for (NeededValue& value : needed) {
    if (!waiting_reads_.empty() || !Read(value, fetching)) {
      waiting_reads_.push_back({std::move(value), fetching});
    }
  }
}

bool ColdValues::Read(const NeededValue& value, const std::shared_ptr<Fetching>& fetching) {
  // Nothing is answered from here: who asked may not be ready for it.
  if (value.at.is_null()) return false;
  return front_
      ->Read(value.key, value.at,
             [this, value, fetching](tier::ValueLocation at, absl::StatusOr<tier::ReadValue> read) {
               OnRead(value, fetching, at, std::move(read));
             })
      .ok();
}

bool ColdValues::RetryReads() {
  while (!waiting_reads_.empty()) {
    const WaitingRead waiting = waiting_reads_.front();
    const tier::ValueLocation at = waiting.value.at;
    absl::Status status = absl::DataLossError("the value was lost before");
    if (!at.is_null()) {
      status = front_->Read(
          waiting.value.key, at,
          [this, waiting](tier::ValueLocation now_at, absl::StatusOr<tier::ReadValue> read) {
            OnRead(waiting.value, waiting.fetching, now_at, std::move(read));
          });
      if (absl::IsResourceExhausted(status)) return true;
    }
    waiting_reads_.pop_front();
    if (!status.ok()) OnRead(waiting.value, waiting.fetching, at, status);
  }
  return false;
}

void ColdValues::OnRead(const NeededValue& value, const std::shared_ptr<Fetching>& fetching,
                        const tier::ValueLocation& location, absl::StatusOr<tier::ReadValue> read) {
  Stage(value.key, location, std::move(read), *fetching->staged);
  if (--fetching->missing > 0) return;
  --fetches_under_way_;
  fetching->done();
}

void ColdValues::Stage(std::string_view key, const tier::ValueLocation& location,
                       absl::StatusOr<tier::ReadValue> read, StagedValues& staged) {
  const Entry* entry = keyspace_->Look(KeyRef::Of(key));
  // The command finds what is there by now.
  if (entry == nullptr || !entry->ColdAt(location)) return;
  if (read.ok() && read->bytes.size() != entry->value_bytes()) {
    read = absl::DataLossError("a value on disk has another length than its entry");
  }
  if (read.ok()) {
    ++counters_.hits_on_disk;
    if (options_.promote) options_.promote(key, location, *read);
  } else {
    ++counters_.unreadable;
  }
  staged.insert_or_assign(location, std::move(read));
}

// --- Promotion ---

bool ColdValues::Land(KeyRef key, const tier::ValueLocation& at, std::string_view value) {
  const Entry* entry = keyspace_->Look(key);
  if (entry != nullptr && entry->ColdAt(at) && entry->value_bytes() == value.size() &&
      keyspace_->MakeWarm(key, at, value)) {
    ++counters_.promoted;
    return true;
  }
  ++counters_.promotions_stale;
  return false;
}

}  // namespace tidemark::cache
