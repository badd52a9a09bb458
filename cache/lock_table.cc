#include "cache/lock_table.h"

#include <algorithm>

#include "base/check.h"

namespace tidemark::cache {

LockTable::Request LockTable::Request::Keys(std::vector<uint64_t> hashes, LockMode mode) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  Request request;
  request.mode_ = mode;
  request.places_.resize(hashes.size());
  for (size_t i = 0; i < hashes.size(); ++i) request.places_[i].hash = hashes[i];
  return request;
}

LockTable::Request LockTable::Request::WholeShard(LockMode mode) {
  Request request;
  request.mode_ = mode;
  request.whole_shard_ = true;
  return request;
}

// Of two requests of which at least one covers the whole shard.
bool LockTable::Conflict(const Request& a, const Request& b) {
  // A request without keys touches nothing that a shared holder reads.
  const auto writes = [](const Request& r) {
    return r.mode_ == LockMode::kExclusive && (r.whole_shard_ || !r.places_.empty());
  };
  return writes(a) || writes(b);
}

bool LockTable::Blocks(std::span<const uint64_t> hashes, LockMode mode) const {
  if (whole_shards_ != 0) {
    for (const Request* r = first_; r != nullptr; r = r->later_) {
      if (!r->whole_shard_) continue;
      if (r->mode_ == LockMode::kExclusive) return true;
      if (mode == LockMode::kExclusive && !hashes.empty()) return true;
    }
  }
  return std::any_of(hashes.begin(), hashes.end(), [&](uint64_t hash) {
    const auto it = queues_.find(hash);
    return it != queues_.end() && (mode == LockMode::kExclusive || it->second.exclusive > 0);
  });
}

bool LockTable::Acquire(Request* request) {
  DCHECK(!request->acquired_);
  request->acquired_ = true;
  request->arrival_ = next_arrival_++;
  request->blockers_ = 0;
  if (request->whole_shard_ || whole_shards_ != 0) {
    for (const Request* r = first_; r != nullptr; r = r->later_) {
      if ((request->whole_shard_ || r->whole_shard_) && Conflict(*request, *r)) {
        ++request->blockers_;
      }
    }
  }
  request->earlier_ = last_;
  request->later_ = nullptr;
  (last_ != nullptr ? last_->later_ : first_) = request;
  last_ = request;
  if (request->whole_shard_) ++whole_shards_;

  for (Request::Place& place : request->places_) {
    place.request = request;
    EnterKeyQueue(&place, request->mode_);
    if (!place.granted) ++request->blockers_;
  }
  return request->blockers_ == 0;
}

void LockTable::EnterKeyQueue(Request::Place* place, LockMode mode) {
  KeyQueue& queue = queues_[place->hash];
  const bool exclusive = mode == LockMode::kExclusive;
  place->granted = exclusive ? queue.first == nullptr : queue.exclusive == 0;
  place->earlier = queue.last;
  place->later = nullptr;
  (queue.last != nullptr ? queue.last->later : queue.first) = place;
  queue.last = place;
  queue.exclusive += exclusive ? 1 : 0;
}

void LockTable::LeaveKeyQueue(Request::Place* place, LockMode mode,
                              std::vector<Request*>* granted) {
  const auto it = queues_.find(place->hash);
  CHECK(it != queues_.end());
  KeyQueue& queue = it->second;
  (place->earlier != nullptr ? place->earlier->later : queue.first) = place->later;
  (place->later != nullptr ? place->later->earlier : queue.last) = place->earlier;
  queue.exclusive -= mode == LockMode::kExclusive ? 1 : 0;
  if (queue.first == nullptr) {
    queues_.erase(it);
    return;
  }
  // What may run now is the queue's front: one exclusive request, or the shared ones before the
  // first exclusive. If the front had been granted before, so had all that may run with it.
  Request::Place* next = queue.first;
  if (next->granted) return;
  do {
    next->granted = true;
    Unblock(next->request, granted);
    if (next->request->mode_ == LockMode::kExclusive) break;
    next = next->later;
  } while (next != nullptr && next->request->mode_ == LockMode::kShared);
}

void LockTable::Unblock(Request* request, std::vector<Request*>* granted) {
  CHECK(request->blockers_ > 0);
  if (--request->blockers_ == 0) granted->push_back(request);
}

void LockTable::Release(Request* request, std::vector<Request*>* granted) {
  CHECK(request->granted());
  (request->earlier_ != nullptr ? request->earlier_->later_ : first_) = request->later_;
  (request->later_ != nullptr ? request->later_->earlier_ : last_) = request->earlier_;
  if (request->whole_shard_) --whole_shards_;
  request->acquired_ = false;

  if (request->whole_shard_ || whole_shards_ != 0) {
    for (Request* r = request->later_; r != nullptr; r = r->later_) {
      if ((request->whole_shard_ || r->whole_shard_) && Conflict(*request, *r)) {
        Unblock(r, granted);
      }
    }
  }
  for (Request::Place& place : request->places_) {
    LeaveKeyQueue(&place, request->mode_, granted);
  }
}

}  // namespace tidemark::cache
