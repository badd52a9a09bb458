#include "server/recovery_feed.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidemark::server {
namespace {

// What a shard is handed at once: a millisecond or so of its time, so that it also answers whoever
// asks meanwhile, and few enough that a task costs nothing beside it.
constexpr size_t kBatchBytes = 256 << 10;

}  // namespace

RecoveryFeed::RecoveryFeed(cache::Engine& engine, size_t max_bytes_in_flight)
    : engine_(engine), max_bytes_in_flight_(max_bytes_in_flight) {
  for (int i = 0; i < engine.shard_count(); ++i) {
    const ShardId id(static_cast<uint16_t>(i));
    replays_.push_back(
        std::make_unique<ShardReplay>(&engine.shard(id).keyspace(), id, engine.shard_count()));
  }
}

RecoveryFeed::~RecoveryFeed() { CHECK(bytes_in_flight_ == 0); }

absl::Status RecoveryFeed::TakeRoom(size_t bytes) {
  std::unique_lock lock(mutex_);
  // A batch larger than the limit goes alone.
  applied_.wait(lock, [&] {
    return !failure_.ok() || bytes_in_flight_ == 0 ||
           bytes_in_flight_ + bytes <= max_bytes_in_flight_;
  });
  if (failure_.ok()) bytes_in_flight_ += bytes;
  return failure_;
}

void RecoveryFeed::Applied(size_t bytes, const absl::Status& status) {
  std::lock_guard lock(mutex_);
  bytes_in_flight_ -= bytes;
  if (failure_.ok()) failure_ = status;
  applied_.notify_all();  // Under the lock: the feed may be gone right after it.
}

absl::Status RecoveryFeed::WaitUntilApplied() {
  std::unique_lock lock(mutex_);
  applied_.wait(lock, [&] { return bytes_in_flight_ == 0; });
  return failure_;
}

void RecoveryFeed::RunOnShards(const std::function<void(cache::Shard&)>& each) {
  for (int i = 0; i < engine_.shard_count(); ++i) {
    {
      std::lock_guard lock(mutex_);
      ++bytes_in_flight_;
    }
    engine_.Post(ShardId(static_cast<uint16_t>(i)), [this, &each](cache::Shard& shard) {
      each(shard);
      Applied(1, absl::OkStatus());
    });
  }
  std::unique_lock lock(mutex_);
  applied_.wait(lock, [&] { return bytes_in_flight_ == 0; });
}

RecoveryFeed::Lane::Lane(RecoveryFeed& feed) : feed_(feed), open_(feed.replays_.size()) {}

absl::Status RecoveryFeed::Lane::Send(FrameRef frame, Sequence from, Sequence through) {
  if (frame->shard_count() == open_.size()) {
    const size_t shard = frame->shard().value();
    return Add(shard, std::move(frame), from, through);
  }
  for (size_t shard = 0; shard < open_.size(); ++shard) {
    if (absl::Status status = Add(shard, frame, from, through); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RecoveryFeed::Lane::Add(size_t shard, FrameRef frame, Sequence from,
                                     Sequence through) {
  Batch& batch = open_[shard];
  batch.bytes += frame->memory_bytes();
  batch.items.push_back({std::move(frame), from, through});
  return batch.bytes < kBatchBytes ? absl::OkStatus() : Post(shard);
}

absl::Status RecoveryFeed::Lane::Flush() {
  for (size_t shard = 0; shard < open_.size(); ++shard) {
    if (open_[shard].items.empty()) continue;
    if (absl::Status status = Post(shard); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RecoveryFeed::Lane::Post(size_t shard) {
  Batch batch = std::exchange(open_[shard], Batch());
  if (absl::Status status = feed_.TakeRoom(batch.bytes); !status.ok()) return status;
  feed_.engine_.Post(
      ShardId(static_cast<uint16_t>(shard)),
      [&feed = feed_, batch = std::move(batch)](cache::Shard& owner) mutable {
        absl::Status status;
        for (Item& item : batch.items) {
          if (status.ok()) {
            status = feed.replays_[owner.id().value()]->Apply(*item.frame, item.from, item.through);
          }
          item.frame = nullptr;  // While its memory is warm.
        }
        owner.PaceApply(batch.bytes,
                        [&feed, bytes = batch.bytes, status] { feed.Applied(bytes, status); });
      });
  return absl::OkStatus();
}

}  // namespace tidemark::server
