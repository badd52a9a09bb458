#include "replication/cut_walk.h"

#include <utility>

namespace tidemark::replication {
namespace {

constexpr size_t kChunkBytes = 32 << 10;
constexpr size_t kEntriesPerSlice = 64;  // Some 50 us of a shard's time; each may miss the cache.

}  // namespace

CutWalk::~CutWalk() {
  if (queue_ != nullptr && keyspace_->walking(this)) keyspace_->CancelWalk();
}

bool CutWalk::Begin(std::shared_ptr<ChunkQueue> queue) {
  if (queue_ != nullptr || keyspace_->walking()) return false;
  queue_ = std::move(queue);
  encoder_.emplace(SnapshotOrigin{.shard = shard_});
  displaced_bytes_ = 0;
  keyspace_->BeginWalk(this);
  return true;
}

bool CutWalk::DoSlice() {
  if (queue_ == nullptr) return false;
  const bool replaced = !keyspace_->walking(this);
  if (replaced || !queue_->active()) {
    queue_->Cancel();
    if (!replaced) keyspace_->CancelWalk();
    End();
    return false;
  }
  if (!queue_->HasRoom(shard_)) return false;
  in_slice_ = true;
  const bool complete = keyspace_->WalkSome(kEntriesPerSlice);
  in_slice_ = false;
  if (!complete) return !keyspace_->walk_waits();
  SendChunk(SnapshotEncoder::Place::kLast);
  End();
  return false;
}

void CutWalk::OnEntry(const cache::Entry& entry) {
  const size_t before = encoder_->open_bytes();
  encoder_->Add(entry.key(), entry.value(), entry.expiry());
  if (!in_slice_) displaced_bytes_ += encoder_->open_bytes() - before;
  if (encoder_->open_bytes() >= kChunkBytes) SendChunk(SnapshotEncoder::Place::kMore);
}

void CutWalk::OnUnreadable(const cache::Entry& entry, const absl::Status& why) {
  // An incomplete snapshot is none.
  queue_->Cancel();
}

void CutWalk::SendChunk(SnapshotEncoder::Place place) {
  // What the walk put in was paced by HasRoom(); what commands displaced was not, and counts.
  queue_->Take(encoder_->TakeChunk(place, 0), std::exchange(displaced_bytes_, 0), Sequence());
}

void CutWalk::End() {
  queue_.reset();
  encoder_.reset();
}

}  // namespace tidemark::replication
