#include "integration/chaos/client_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tidemark::integration {

size_t ClientHistory::Add(std::string name, Kind kind) {
  Key key;
  key.name = std::move(name);
  key.kind = kind;
  keys_.push_back(std::move(key));
  return keys_.size() - 1;
}

int64_t ClientHistory::Attempt(size_t key) {
  const std::lock_guard lock(mutex_);
  return ++keys_[key].attempted;
}

void ClientHistory::OnAcked(size_t index, int64_t number) {
  const std::lock_guard lock(mutex_);
  Key& key = keys_[index];
  ++key.acked_in_all;
  key.acked = key.kind == Kind::kCounter ? key.acked + 1 : std::max(key.acked, number);
}

int64_t ClientHistory::acked(size_t key) const {
  const std::lock_guard lock(mutex_);
  return keys_[key].acked;
}

int64_t ClientHistory::total_acked() const {
  const std::lock_guard lock(mutex_);
  int64_t total = 0;
  for (const Key& key : keys_) total += key.acked_in_all;
  return total;
}

std::string ClientHistory::JudgeLocked(const Key& key, int64_t floor, int64_t shown) const {
  if (shown < floor) {
    return fmt::format("{} shows {}, and {} had been acknowledged before", key.name, shown, floor);
  }
  if (shown > key.attempted) {
    return fmt::format("{} shows {}, and no more than {} was ever attempted", key.name, shown,
                       key.attempted);
  }
  if (shown > key.settled && shown <= key.void_through) {
    return fmt::format(
        "{} shows {}: lost with the primary, which came back with {}, and seen again", key.name,
        shown, key.settled);
  }
  return "";
}

std::string ClientHistory::Judge(size_t key, int64_t floor, int64_t shown) const {
  const std::lock_guard lock(mutex_);
  return JudgeLocked(keys_[key], floor, shown);
}

std::string ClientHistory::Settle(size_t index, int64_t shown) {
  const std::lock_guard lock(mutex_);
  Key& key = keys_[index];
  const int64_t floor = promise_ == Promise::kSurvivesThePrimary ? key.acked : 0;
  if (std::string fault = JudgeLocked(key, floor, shown); !fault.empty()) return fault;
  key.acked = key.settled = shown;
  if (key.kind == Kind::kCounter) {
    key.attempted = shown;  // It counts on from here, and may well pass the same numbers again.
    key.void_through = 0;
  } else {
    key.void_through = key.attempted;
  }
  return "";
}

}  // namespace tidemark::integration
