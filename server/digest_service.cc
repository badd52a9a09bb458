#include "server/digest_service.h"

#include <atomic>
#include <iterator>
#include <utility>

namespace tidemark::server {

// Shared by the shards that work on it. Each writes its own element of result.shards; the countdown
// orders those writes before Finish().
struct DigestService::Attempt {
  std::vector<Done> askers;
  DigestResult result;
  std::atomic<bool> busy{false};  // Some shard could not walk, or not to the end.
  std::atomic<int> open{0};       // Shards still walking, and the cut itself.
};

DigestService::DigestService(int shard_count, AtCut at_cut, BeginWalk begin_walk)
    : shard_count_(shard_count), at_cut_(std::move(at_cut)), begin_walk_(std::move(begin_walk)) {}

void DigestService::Request(Done done) {
  std::vector<Done> askers;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(done));
    if (running_ || retry_) return;
    running_ = true;
    askers.swap(waiting_);
  }
  Start(std::move(askers));
}

void DigestService::Tick() {
  std::vector<Done> askers;
  {
    const std::lock_guard lock(mutex_);
    if (!retry_) return;
    retry_ = false;
    running_ = true;
    askers.swap(waiting_);
  }
  Start(std::move(askers));
}

void DigestService::Start(std::vector<Done> askers) {
  auto attempt = std::make_shared<Attempt>();
  attempt->askers = std::move(askers);
  attempt->result.shards.resize(static_cast<size_t>(shard_count_));
  attempt->open = shard_count_ + 1;
  const auto close_one = [this, attempt] {
    if (attempt->open.fetch_sub(1, std::memory_order_acq_rel) == 1) Finish(attempt);
  };
  at_cut_(
      [this, attempt, close_one](ShardId shard) {
        const bool began = begin_walk_(shard, [=](const cache::ContentDigest* digest) {
          if (digest != nullptr) {
            attempt->result.shards[shard.value()] = *digest;
          } else {
            attempt->busy = true;
          }
          close_one();
        });
        if (began) return;
        attempt->busy = true;
        close_one();
      },
      [attempt, close_one](HistoryId history, Watermarks watermarks) {
        attempt->result.history = history;
        attempt->result.watermarks = std::move(watermarks);
        close_one();
      });
}

void DigestService::Finish(const std::shared_ptr<Attempt>& attempt) {
  std::vector<Done> next;
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
    if (attempt->busy) {
      waiting_.insert(waiting_.end(), std::make_move_iterator(attempt->askers.begin()),
                      std::make_move_iterator(attempt->askers.end()));
      retry_ = true;
      return;
    }
    if (!waiting_.empty()) {
      running_ = true;
      next.swap(waiting_);
    }
  }
  for (const cache::ContentDigest& shard : attempt->result.shards) attempt->result.total += shard;
  for (const Done& done : attempt->askers) done(attempt->result);
  if (!next.empty()) Start(std::move(next));
}

}  // namespace tidemark::server
