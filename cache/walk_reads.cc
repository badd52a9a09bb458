#include "cache/walk_reads.h"

#include <utility>

namespace tidemark::cache {

void WalkReads::Begin(const Entry& entry, OwnedEntry earlier) {
  const uint64_t id = next_id_++;
  const tier::ValueLocation at = entry.location();
  reads_.emplace(id, Reading{.entry = OwnedEntry(Entry::CloneCold(entry, at)),
                             .earlier = std::move(earlier),
                             .pin = at.is_null() ? tier::TierPin() : front_->Pin(at)});
  bytes_ += entry.value_bytes();
  // An error is told by RetryWaiting(): here the keyspace may be in the middle of a change.
  if (!waiting_.empty() || !Start(id, entry).ok()) waiting_.push_back(id);
}

absl::Status WalkReads::Start(uint64_t id, const Entry& entry) {
  if (entry.location().is_null()) return absl::DataLossError("the value was lost before");
  const std::weak_ptr<WalkReads*> self = self_;
  return front_->Read(
      entry.key(), entry.location(),
      [self, id](tier::ValueLocation location, absl::StatusOr<tier::ReadValue> value) {
        if (const auto alive = self.lock()) (*alive)->OnRead(id, std::move(value));
      });
}

bool WalkReads::RetryWaiting() {
  while (!waiting_.empty()) {
    const uint64_t id = waiting_.front();
    const absl::Status status = Start(id, *reads_.at(id).entry);
    if (absl::IsResourceExhausted(status)) return true;
    waiting_.pop_front();
    if (!status.ok()) OnRead(id, status);
  }
  return false;
}

void WalkReads::OnRead(uint64_t id, absl::StatusOr<tier::ReadValue> value) {
  const auto it = reads_.find(id);
  Reading reading = std::move(it->second);
  reads_.erase(it);
  const size_t bytes = reading.entry->value_bytes();
  bytes_ -= bytes;
  if (value.ok() && value->bytes.size() != bytes) {
    value = absl::DataLossError("a value on disk has another length than its entry");
  }
  arrived_(*reading.entry, std::move(value), std::move(reading.earlier));
}

}  // namespace tidemark::cache
