#include "replication/link/received_stream.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace tidemark::replication {
namespace {

LinkFault Protocol(std::string text) { return {wire::Goodbye::PROTOCOL, std::move(text)}; }

}  // namespace

void ReceivedStream::Begin(const StreamPlan* plan) {
  plan_ = plan;
  received_.clear();
  digests_.clear();
  snapshots_.clear();
  for (const ShardPlan& shard : plan->shards) {
    received_.push_back(shard.at.sequence);
    digests_.push_back(shard.at.stream_digest);
    snapshots_.push_back({.chunks = 0, .entries = 0, .ended = !shard.is_snapshot()});
  }
  snapshots_left_ = plan->snapshots();
  whole_ = snapshots_left_ == 0;
}

ReceivedStream::Verdict ReceivedStream::Take(const Frame& frame, Sequence* skip_through,
                                             LinkFault* fault) {
  if (!BelongsToStream(frame)) {
    *fault = Protocol(fmt::format("a frame of history {:016x}", frame.history().value()));
    return Verdict::kFault;
  }
  if (frame.shard().value() >= plan_->shards.size() ||
      frame.shard_count() != plan_->shards.size()) {
    *fault = Protocol(
        fmt::format("a frame of shard {} of {}", frame.shard().value(), frame.shard_count()));
    return Verdict::kFault;
  }
  ++counters_->received_frames;
  *skip_through = Sequence();
  return frame.kind() == FrameKind::kSnapshotChunk ? TakeChunk(frame, fault)
                                                   : TakeMutations(frame, skip_through, fault);
}

bool ReceivedStream::BelongsToStream(const Frame& frame) const {
  if (frame.history() == plan_->history) return true;
  if (frame.kind() != FrameKind::kMutations || frame.shard().value() >= plan_->shards.size()) {
    return false;
  }
  return std::any_of(plan_->ancestors.begin(), plan_->ancestors.end(),
                     [&](const Ancestor& ancestor) {
                       return frame.history() == ancestor.history &&
                              frame.last_sequence() <= ancestor.fork[frame.shard().value()];
                     });
}

ReceivedStream::Verdict ReceivedStream::TakeChunk(const Frame& frame, LinkFault* fault) {
  const size_t shard = frame.shard().value();
  SnapshotProgress& progress = snapshots_[shard];
  if (progress.ended) {
    *fault = Protocol("a snapshot chunk where none is due");
    return Verdict::kFault;
  }
  if (frame.last_sequence() != plan_->shards[shard].at.sequence ||
      frame.is_first_chunk() != (progress.chunks == 0)) {
    *fault = Protocol(fmt::format("a chunk of another snapshot of shard {}", shard));
    return Verdict::kFault;
  }
  ++progress.chunks;
  progress.entries += frame.record_count();
  return Verdict::kNew;
}

ReceivedStream::Verdict ReceivedStream::TakeMutations(const Frame& frame, Sequence* skip_through,
                                                      LinkFault* fault) {
  const size_t shard = frame.shard().value();
  const Sequence received = received_[shard];
  if (frame.last_sequence() <= received) {
    counters_->skipped_records += frame.record_count();
    return Verdict::kReceived;
  }
  if (frame.first_sequence() > Next(received)) {
    ++counters_->gaps;
    *fault = Protocol(fmt::format("a gap in shard {}: {} follows {}", shard,
                                  frame.first_sequence().value(), received.value()));
    return Verdict::kFault;
  }
  if (frame.first_sequence() == Next(received)) {
    if (StreamDigest(digests_[shard], frame.payload()) != frame.stream_digest()) {
      ++counters_->digest_mismatches;
      *fault = {wire::Goodbye::DIGEST,
                fmt::format("shard {} from sequence {} on does not continue what is here", shard,
                            frame.first_sequence().value())};
      return Verdict::kFault;
    }
  } else {
    // Begins in what is here: the chain cannot be followed from the middle, and is again from the
    // next on.
    counters_->skipped_records += received.value() - frame.first_sequence().value() + 1;
  }
  digests_[shard] = frame.stream_digest();
  received_[shard] = frame.last_sequence();
  const ShardPosition& cut = plan_->shards[shard].cut;
  if (!whole_ && received_[shard] == cut.sequence && digests_[shard] != cut.stream_digest) {
    *fault = Protocol(fmt::format("shard {} is another at the cut", shard));
    return Verdict::kFault;
  }
  NoteIfWhole();
  *skip_through = received;
  return Verdict::kNew;
}

bool ReceivedStream::End(const wire::SnapshotEnd& end, LinkFault* fault) {
  if (end.shard() >= snapshots_.size() || snapshots_[end.shard()].ended) {
    *fault = Protocol(fmt::format("the end of no snapshot: shard {}", end.shard()));
    return false;
  }
  SnapshotProgress& progress = snapshots_[end.shard()];
  if (end.chunks() != progress.chunks || end.entries() != progress.entries) {
    *fault = Protocol(
        fmt::format("shard {}'s snapshot has {} chunks and {} entries, {} and {} came", end.shard(),
                    end.chunks(), end.entries(), progress.chunks, progress.entries));
    return false;
  }
  progress.ended = true;
  --snapshots_left_;
  NoteIfWhole();
  return true;
}

void ReceivedStream::NoteIfWhole() {
  if (whole_ || snapshots_left_ > 0) return;
  for (size_t i = 0; i < received_.size(); ++i) {
    if (received_[i] < plan_->shards[i].cut.sequence) return;
  }
  whole_ = true;
}

}  // namespace tidemark::replication
