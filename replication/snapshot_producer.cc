#include "replication/snapshot_producer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidemark::replication {
namespace {

constexpr size_t kMinChunkBytes = 4 << 10;
constexpr size_t kMaxChunkBytes = 64 << 20;
constexpr size_t kFirstSliceEntries = 16;
// Each may wait for memory: tens of microseconds, where prefetching does not help.
constexpr size_t kMaxSliceEntries = 256;

SnapshotProducer::Options Clamped(SnapshotProducer::Options options) {
  options.chunk_bytes = std::clamp(options.chunk_bytes, kMinChunkBytes, kMaxChunkBytes);
  return options;
}

// A subscriber that was cut, or a target that has given up.
template <typename Receiver>
bool IsGone(const Receiver& receiver) {
  return !receiver->active();
}

}  // namespace

SnapshotProducer::SnapshotProducer(const Options& options, cache::Keyspace* keyspace,
                                   ShardPublisher* publisher)
    : options_(Clamped(options)), keyspace_(keyspace), publisher_(publisher) {
  publisher_->set_snapshots(this);
}

SnapshotProducer::~SnapshotProducer() {
  if (walking()) keyspace_->CancelWalk();
  publisher_->set_snapshots(nullptr);
}

void SnapshotProducer::Request(SubscriberRef subscriber) {
  waiting_.push_back(std::move(subscriber));
}

void SnapshotProducer::Withdraw(const Subscriber* subscriber) {
  const auto is_it = [&](const SubscriberRef& s) { return s.get() == subscriber; };
  std::erase_if(waiting_, is_it);
  std::erase_if(receiving_, is_it);
  AbortIfAlone();
}

void SnapshotProducer::AbortIfAlone() {
  if (!walking() || !receiving_.empty() || !receiving_targets_.empty()) return;
  keyspace_->CancelWalk();
  encoder_.reset();
  ++aborted_;
}

void SnapshotProducer::Abandon() {
  for (const auto* subscribers : {&waiting_, &receiving_}) {
    for (const SubscriberRef& subscriber : *subscribers) subscriber->Cut(CutCause::kNewStream);
  }
  for (const auto* targets : {&waiting_targets_, &receiving_targets_}) {
    for (const ChunkTargetRef& target : *targets) target->Cancel();
  }
  DropInactive();
  AbortIfAlone();
}

void SnapshotProducer::DropInactive() {
  std::erase_if(waiting_, IsGone<SubscriberRef>);
  std::erase_if(receiving_, IsGone<SubscriberRef>);
  std::erase_if(waiting_targets_, IsGone<ChunkTargetRef>);
  std::erase_if(receiving_targets_, IsGone<ChunkTargetRef>);
}

bool SnapshotProducer::DoSlice() {
  DropInactive();
  AbortIfAlone();
  if (!walking()) {
    if (waiting() == 0 || keyspace_->walking()) return false;
    Begin();
  }
  if (flushed_) {
    keyspace_->CancelWalk();
    End();
  } else if (!HasRoom()) {
    return false;
  } else {
    in_slice_ = true;
    const bool complete = keyspace_->WalkSome(EntriesForSlice());
    in_slice_ = false;
    if (complete) End();
  }
  SignalReceiving();
  if (!walking()) {
    receiving_.clear();
    receiving_targets_.clear();
  }
  if (walking()) return !keyspace_->walk_waits();
  return waiting() > 0;
}

void SnapshotProducer::Begin() {
  publisher_->SealNow();
  encoder_.emplace(SnapshotOrigin{
      .history = publisher_->history(),
      .shard = publisher_->shard(),
      .shard_count = static_cast<uint16_t>(publisher_->shard_count()),
      .watermark = publisher_->emitted(),
      .digest = publisher_->digest(),
  });
  flushed_ = false;
  displaced_bytes_ = 0;
  keyspace_->BeginWalk(this);
  receiving_.swap(waiting_);
  if (receiving_.empty() || !keyspace_->has_tier()) receiving_targets_.swap(waiting_targets_);
  for (const SubscriberRef& subscriber : receiving_) publisher_->GoLive(subscriber);
}

void SnapshotProducer::End() {
  // Every mutation so far goes before the last chunk: after it a receiver shows what it has, and a
  // flush without its frame would show half the keys.
  publisher_->SealNow();
  SendChunk(SnapshotEncoder::Place::kLast);
  encoder_.reset();
  ++completed_;
}

bool SnapshotProducer::HasRoom() const {
  // Every one is asked: each must know that the shard waits for it.
  bool room = true;
  for (const SubscriberRef& subscriber : receiving_) {
    if (!subscriber->HasRoom(publisher_->shard())) room = false;
  }
  for (const ChunkTargetRef& target : receiving_targets_) {
    if (!target->HasRoom(publisher_->shard())) room = false;
  }
  return room;
}

size_t SnapshotProducer::EntriesForSlice() const {
  if (encoder_->entries() == 0) return kFirstSliceEntries;
  const uint64_t mean_bytes = std::max<uint64_t>(1, encoder_->bytes() / encoder_->entries());
  return std::clamp<size_t>(options_.slice_bytes / mean_bytes, 1, kMaxSliceEntries);
}

void SnapshotProducer::OnEntry(const cache::Entry& entry) { Add(entry); }

void SnapshotProducer::OnLateEntry(const cache::Entry& entry, const cache::Entry* now) {
  if (receiving_.empty()) return Add(entry);
  // Deleted: the frame that says so has gone out, or will.
  if (now != nullptr) Add(*now);
}

void SnapshotProducer::OnUnreadable(const cache::Entry& entry, const absl::Status& why) {
  ++unreadable_;
  for (const ChunkTargetRef& target : receiving_targets_) target->Cancel();
}

void SnapshotProducer::Add(const cache::Entry& entry) {
  const size_t before = encoder_->open_bytes();
  encoder_->Add(entry.key(), entry.value(), entry.expiry());
  if (!in_slice_) displaced_bytes_ += encoder_->open_bytes() - before;
  if (encoder_->open_bytes() >= options_.chunk_bytes) SendChunk(SnapshotEncoder::Place::kMore);
}

void SnapshotProducer::BeforeFrame() {
  // Only who gets the frame as well cares which comes first.
  if (!walking() || receiving_.empty()) return;
  if (encoder_->open_entries() > 0) SendChunk(SnapshotEncoder::Place::kMore);
}

void SnapshotProducer::OnFlush() { flushed_ = walking(); }

void SnapshotProducer::SendChunk(SnapshotEncoder::Place place) {
  // What the walk put in was paced by HasRoom(); what commands displaced was not, and counts.
  const size_t counted_bytes = displaced_bytes_;
  displaced_bytes_ = 0;
  const FrameRef chunk = encoder_->TakeChunk(place, publisher_->now_ms());
  for (const SubscriberRef& subscriber : receiving_) {
    publisher_->SendChunk(subscriber.get(), chunk, counted_bytes);
  }
  // After a flush the chunks are part of the state at the watermark: the rest is in no state since.
  const Sequence needed = flushed_ ? publisher_->emitted() : encoder_->origin().watermark;
  for (const ChunkTargetRef& target : receiving_targets_) {
    target->Take(chunk, counted_bytes, needed);
  }
}

void SnapshotProducer::SignalReceiving() {
  for (const SubscriberRef& subscriber : receiving_) subscriber->Signal();
}

}  // namespace tidemark::replication
