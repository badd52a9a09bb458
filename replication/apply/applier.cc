#include "replication/apply/applier.h"

#include <algorithm>

#include "base/check.h"
#include "base/link/wire_vectors.h"
#include "fmt/format.h"

namespace tidemark::replication {
namespace {

// What a queued frame holds of the heap, nearly.
size_t CostOf(const RoutedFrame& routed) {
  const size_t frame_bytes = routed.frame->bytes().size();
  if (routed.whole_to) return frame_bytes;
  return frame_bytes + routed.frame->record_count() * sizeof(RoutedRecord);
}

// Collects what each of our shards does in one step. A stream's Flush begins its next phase; what
// other streams have before their own Flush comes before it, too.
class SliceBuilder {
 public:
  explicit SliceBuilder(int own_shards) : own_shards_(static_cast<size_t>(own_shards)) {}

  void BeginStream() {
    stream_phase_ = 0;
    Phase(0);
  }
  void Add(RoutedFrame routed) {
    if (routed.whole_to) {
      Phase(stream_phase_)[routed.whole_to->value()].push_back({.what = SlicePart::What::kFrame,
                                                                .frame = std::move(routed.frame),
                                                                .skip_through = routed.skip_through,
                                                                .records = {}});
      return;
    }
    for (size_t i = 0; i < routed.phases.size(); ++i) {
      if (i > 0) ++stream_phase_;
      auto& phase = Phase(stream_phase_);
      for (size_t shard = 0; shard < own_shards_; ++shard) {
        if (routed.phases[i][shard].empty()) continue;
        phase[shard].push_back({.what = SlicePart::What::kRecords,
                                .frame = routed.frame,
                                .skip_through = routed.skip_through,
                                .records = std::move(routed.phases[i][shard])});
      }
    }
  }
  size_t stream_phase() const { return stream_phase_; }

  // `flush`: what a Flush is to the shards.
  std::vector<Slice> Finish(SlicePart::What flush) {
    std::vector<Slice> slices;
    for (size_t shard = 0; shard < own_shards_; ++shard) {
      Slice slice{.shard = ShardId(static_cast<uint16_t>(shard)), .parts = {}};
      for (size_t i = 0; i < phases_.size(); ++i) {
        if (i > 0)
          slice.parts.push_back(
              {.what = flush, .frame = nullptr, .skip_through = Sequence(), .records = {}});
        std::move(phases_[i][shard].begin(), phases_[i][shard].end(),
                  std::back_inserter(slice.parts));
      }
      if (!slice.parts.empty()) slices.push_back(std::move(slice));
    }
    return slices;
  }

 private:
  std::vector<std::vector<SlicePart>>& Phase(size_t phase) {
    while (phases_.size() <= phase) phases_.emplace_back(own_shards_);
    return phases_[phase];
  }

  const size_t own_shards_;
  size_t stream_phase_ = 0;
  std::vector<std::vector<std::vector<SlicePart>>> phases_;  // By phase, then own shard.
};

}  // namespace

Applier::Applier(const Options& options)
    : options_(options),
      history_(options.start.history),
      ancestors_(options.start_ancestors),
      synced_(options.start.history != HistoryId()),
      keys_(options.start_keys) {
  keys_.resize(static_cast<size_t>(options.own_shards));
  for (const ShardPosition& shard : options.start.shards) {
    applied_.push_back(shard.sequence);
    applied_digests_.push_back(shard.stream_digest);
  }
}

void Applier::Begin(const ReplicaPosition& start, Watermarks held, std::vector<uint64_t> keys,
                    std::vector<Ancestor> ancestors) {
  ancestors_ = std::move(ancestors);
  history_ = start.history;
  for (const ShardPosition& shard : start.shards) {
    applied_.push_back(shard.sequence);
    applied_digests_.push_back(shard.stream_digest);
  }
  if (held != applied_) held_ = std::move(held);
  keys_ = std::move(keys);
}

// --- What ReplicaLink says ---

std::optional<ReplicaPosition> Applier::Position() {
  if (!under_way_.empty() || drop_staging_due_ || link_lost_) return std::nullopt;
  return position_void_ ? ReplicaPosition() : position();
}

ReplicaPosition Applier::position() const {
  ReplicaPosition position;
  position.history = history_;
  for (size_t i = 0; i < applied_.size(); ++i) {
    position.shards.push_back({applied_[i], applied_digests_[i]});
  }
  return position;
}

ReplicaPosition Applier::Held() {
  ReplicaPosition held = position();
  for (size_t i = 0; i < held_.size(); ++i) {
    held.shards[i].sequence = std::max(held.shards[i].sequence, held_[i]);
  }
  return held;
}

bool Applier::HoldsKeys() {
  return std::any_of(keys_.begin(), keys_.end(), [](uint64_t keys) { return keys > 0; });
}

void Applier::OnPlan(const StreamPlan& plan) {
  DCHECK(under_way_.empty() && queued_bytes_ == 0 && !link_lost_);
  plan_ = plan;
  streams_ = std::vector<Stream>(plan.shards.size());
  staging_ = plan.is_snapshot();
  kept_.clear();
  keeping_ = plan.is_mixed();
  if (keeping_) {
    for (const ShardPlan& shard : plan.shards) kept_.push_back(!shard.is_snapshot());
  }
  if (!staging_ || keeping_) {
    // What is held beyond what was told may lie beyond the point where the histories part.
    const bool beyond = !held_.empty() && !Covers(applied_, held_);
    if (beyond && plan.history != history_) position_void_ = fail_due_ = true;
  }
  if (!staging_) {
    synced_ = true;
    // Refused, what is here stays of the history that it was of, and only of that.
    if (position_void_) return;
    history_ = plan.history;  // Perhaps a descendant of what it was: all that is here is of both.
    ancestors_ = plan.ancestors;
    return;
  }
  begin_staging_due_ = true;
  staged_.clear();
  staged_digests_.clear();
  for (const ShardPlan& shard : plan.shards) {
    staged_.push_back(shard.at.sequence);
    staged_digests_.push_back(shard.at.stream_digest);
  }
}

absl::Status Applier::OnFrame(FrameRef frame, Sequence skip_through) {
  if (queued_bytes_ > options_.max_held_bytes) {
    return absl::ResourceExhaustedError(
        fmt::format("{} bytes wait for parts of transactions that do not come", queued_bytes_));
  }
  const size_t shard = frame->shard().value();
  if (!held_.empty() && (!staging_ || Kept(shard))) {
    skip_through = std::max(skip_through, held_[shard]);
  }
  absl::StatusOr<RoutedFrame> routed =
      RouteFrame(std::move(frame), skip_through, options_.own_shards);
  if (!routed.ok()) return routed.status();
  // The cut is a border of frames: the primary sealed what was open.
  if (staging_ && Kept(shard) &&
      routed->frame->last_sequence() <= plan_.shards[shard].cut.sequence) {
    routed->below_cut = true;
    DropCoveredParts(&*routed);
  }
  Stream& stream = streams_[shard];
  if (absl::Status status = NoteTransactions(*routed, stream.end()); !status.ok()) return status;
  const size_t cost = CostOf(*routed);
  queued_bytes_ += cost;
  pending_bytes_ += cost;
  stream.frames.push_back(*std::move(routed));
  return absl::OkStatus();
}

void Applier::DropCoveredParts(RoutedFrame* routed) const {
  for (TransactionPart& part : routed->transactions) {
    std::erase_if(part.participants, [this](ShardId shard) { return !Kept(shard.value()); });
  }
  std::erase_if(routed->transactions,
                [](const TransactionPart& part) { return part.participants.size() == 1; });
}

absl::Status Applier::NoteTransactions(const RoutedFrame& routed, uint64_t number) {
  const ShardId shard = routed.frame->shard();
  for (const TransactionPart& part : routed.transactions) {
    std::vector<PartPlace>& places = transactions_[part.id];
    for (const PartPlace& place : places) {
      if (place.shard != shard) continue;
      return absl::DataLossError(
          fmt::format("two parts of transaction {} in shard {}", part.id, shard.value()));
    }
    places.push_back({shard, number});
  }
  return absl::OkStatus();
}

void Applier::OnSnapshotEnd() {
  swap_due_ = true;
  for (Stream& stream : streams_) stream.swap_barrier = stream.end();
}

void Applier::OnLinkLost() {
  link_lost_ = true;
  // Half a snapshot is worth nothing. All else that has come is good, and is applied as far as it
  // is whole: a primary that stops in good order has sent everything before its goodbye.
  if (position_void_ || (staging_ && !swap_due_ && !swap_under_way_)) DropQueued();
}

void Applier::DropQueued() {
  link_lost_ = false;
  for (Stream& stream : streams_) stream.frames.clear();
  transactions_.clear();
  pending_bytes_ -= queued_bytes_;
  queued_bytes_ = 0;
  swap_due_ = false;
  if (!staging_ || swap_under_way_) return;
  staging_ = false;
  keeping_ = false;
  if (!std::exchange(begin_staging_due_, false)) {
    drop_staging_due_ = true;
    ++counters_.snapshots_dropped;
  }
}

// --- Choosing frames ---

void Applier::Take(uint64_t number, const Stream& stream, Choice* choice) const {
  const RoutedFrame& routed = stream.at(number);
  choice->bytes += CostOf(routed);
  choice->needs_cut |= routed.needs_cut;
  choice->empty = false;
}

// Adds the next frame of a stream to the choice, and with it all that must not be apart from it.
// False: something of that is not here yet or on the other side of the cut, and the choice is
// unchanged.
bool Applier::Extend(size_t shard, Choice* choice) const {
  const uint64_t next = choice->ends[shard];
  if (streams_[shard].at(next).below_cut != choice->below_cut) return false;
  if (streams_[shard].at(next).transactions.empty()) {
    Take(next, streams_[shard], choice);
    ++choice->ends[shard];
    return true;
  }
  Choice extended = *choice;
  std::vector<PartPlace> wanted = {{ShardId(static_cast<uint16_t>(shard)), next}};
  while (!wanted.empty()) {
    const PartPlace place = wanted.back();
    wanted.pop_back();
    const Stream& stream = streams_[place.shard.value()];
    // A frame brings all before it.
    for (uint64_t& end = extended.ends[place.shard.value()]; end <= place.number; ++end) {
      if (stream.at(end).below_cut != choice->below_cut) return false;
      Take(end, stream, &extended);
      for (const TransactionPart& part : stream.at(end).transactions) {
        const std::vector<PartPlace>& places = transactions_.at(part.id);
        if (places.size() != part.participants.size()) return false;
        wanted.insert(wanted.end(), places.begin(), places.end());
      }
    }
  }
  *choice = std::move(extended);
  return true;
}

Applier::Choice Applier::Choose(bool below_cut) const {
  Choice choice{.below_cut = below_cut, .ends = {}};
  for (const Stream& stream : streams_) choice.ends.push_back(stream.first);
  std::vector<bool> stuck(streams_.size());
  bool any = true;
  while (any && choice.bytes < options_.max_step_bytes) {
    any = false;
    for (size_t shard = 0; shard < streams_.size(); ++shard) {
      if (stuck[shard] || choice.ends[shard] == streams_[shard].end()) continue;
      stuck[shard] = !Extend(shard, &choice);
      any |= !stuck[shard];
    }
  }
  return choice;
}

// --- Steps ---

absl::StatusOr<std::optional<ApplyStep>> Applier::NextStep() {
  if (std::exchange(fail_due_, false)) {
    return absl::FailedPreconditionError(
        "what was recovered may hold records that the primary's new history does not have");
  }
  while (true) {
    if (!under_way_.empty() && under_way_.back().at_cut) return std::nullopt;
    if (std::exchange(drop_staging_due_, false)) {
      return IssueForAll(ApplyStep::Kind::kDropStaging);
    }
    if (std::exchange(begin_staging_due_, false)) {
      return IssueForAll(ApplyStep::Kind::kBeginStaging);
    }
    if (keeping_ && keep_steps_ == 0) {
      keep_steps_ = 1;
      keep_more_ = false;
      return IssueForAll(ApplyStep::Kind::kKeepSome);
    }
    if (under_way_.size() - keep_steps_ >= options_.max_steps_under_way) return std::nullopt;
    if (swap_due_ && SwapBarrierReached()) {
      if (keeping_ || !under_way_.empty()) return std::nullopt;
      swap_due_ = false;
      swap_under_way_ = true;
      return IssueForAll(ApplyStep::Kind::kSwapIn);
    }
    Choice choice = Choose(/*below_cut=*/!kept_.empty());
    if (choice.empty && !kept_.empty()) choice = Choose(/*below_cut=*/false);
    if (choice.empty) {
      if (!link_lost_ || !under_way_.empty()) return std::nullopt;
      DropQueued();  // It waits for what the lost link would have brought.
      if (drop_staging_due_) continue;
      return std::nullopt;
    }
    const bool at_cut = choice.needs_cut && !staging_;
    if (at_cut && !under_way_.empty()) return std::nullopt;

    ApplyStep step;
    step.to_staging = staging_;
    StepUnderWay under_way;
    under_way.to_staging = staging_;
    under_way.bytes = choice.bytes;
    if (absl::Status status = MoveFrames(choice, &step, &under_way); !status.ok()) {
      DropQueued();
      return status;
    }
    step.at_cut = at_cut && step.slices.size() > 1;
    under_way.at_cut = step.at_cut;
    under_way.shards_left =
        step.at_cut ? static_cast<size_t>(options_.own_shards) : step.slices.size();
    ApplyStep issued = Issue(std::move(step), std::move(under_way));
    if (!issued.slices.empty()) return issued;
    FinishDone();  // It moves sequences and changes nothing: markers alone.
  }
}

bool Applier::SwapBarrierReached() const {
  return std::all_of(streams_.begin(), streams_.end(),
                     [](const Stream& stream) { return stream.first >= stream.swap_barrier; });
}

absl::Status Applier::MoveFrames(const Choice& choice, ApplyStep* step, StepUnderWay* under_way) {
  SliceBuilder builder(options_.own_shards);
  std::optional<size_t> flushes;  // Of each stream that has a part in them.
  for (size_t shard = 0; shard < streams_.size(); ++shard) {
    Stream& stream = streams_[shard];
    builder.BeginStream();
    std::optional<ShardPosition> reached;
    for (; stream.first < choice.ends[shard]; ++stream.first) {
      RoutedFrame routed = std::move(stream.frames.front());
      stream.frames.pop_front();
      for (const TransactionPart& part : routed.transactions) transactions_.erase(part.id);
      if (routed.frame->kind() == FrameKind::kMutations) {
        reached = {routed.frame->last_sequence(), routed.frame->stream_digest()};
      }
      builder.Add(std::move(routed));
    }
    if (reached) under_way->reaches.emplace_back(static_cast<uint16_t>(shard), *reached);
    if (choice.below_cut && !Kept(shard)) continue;
    if (flushes.value_or(builder.stream_phase()) != builder.stream_phase()) {
      return absl::DataLossError("a Flush of some of the primary's shards only");
    }
    flushes = builder.stream_phase();
  }
  queued_bytes_ -= choice.bytes;
  step->slices =
      builder.Finish(choice.below_cut ? SlicePart::What::kFlushKept : SlicePart::What::kFlush);
  return absl::OkStatus();
}

ApplyStep Applier::Issue(ApplyStep step, StepUnderWay under_way) {
  step.id = under_way.id = next_step_id_++;
  ++counters_.steps;
  if (step.at_cut) ++counters_.steps_at_cut;
  under_way_.push_back(std::move(under_way));
  return step;
}

ApplyStep Applier::IssueForAll(ApplyStep::Kind kind) {
  ApplyStep step;
  step.kind = kind;
  step.at_cut = kind == ApplyStep::Kind::kSwapIn;
  if (kind == ApplyStep::Kind::kBeginStaging) step.kept = kept_;
  step.keep_entries = options_.keep_entries;
  StepUnderWay under_way;
  under_way.kind = kind;
  under_way.at_cut = step.at_cut;
  under_way.shards_left = static_cast<size_t>(options_.own_shards);
  return Issue(std::move(step), std::move(under_way));
}

absl::Status Applier::OnShardDone(uint64_t step_id, ShardId shard, const StepResult& result) {
  const auto step = std::find_if(under_way_.begin(), under_way_.end(),
                                 [&](const StepUnderWay& s) { return s.id == step_id; });
  CHECK(step != under_way_.end() && step->shards_left > 0);
  keys_[shard.value()] = result.keys;
  keep_more_ |= result.more;
  counters_.applied_records += result.records;
  if (!result.status.ok() && !step->to_staging) position_void_ = true;
  --step->shards_left;
  FinishDone();
  return result.status;
}

// In the order in which they were issued, whatever the order in which they were done.
void Applier::FinishDone() {
  while (!under_way_.empty() && under_way_.front().shards_left == 0) {
    const StepUnderWay step = std::move(under_way_.front());
    under_way_.pop_front();
    pending_bytes_ -= step.bytes;
    Finish(step);
  }
}

void Applier::Finish(const StepUnderWay& step) {
  switch (step.kind) {
    case ApplyStep::Kind::kApply:
      for (const auto& [shard, position] : step.reaches) {
        if (step.to_staging && staging_) {
          staged_[shard.value()] = position.sequence;
          staged_digests_[shard.value()] = position.stream_digest;
        } else if (!step.to_staging && !position_void_) {
          applied_[shard.value()] = position.sequence;
          applied_digests_[shard.value()] = position.stream_digest;
          applied_moved_ = true;
        } else if (!step.to_staging) {
          // Some of it is here, nobody knows how much.
          held_.resize(applied_.size());
          held_[shard.value()] = std::max(held_[shard.value()], position.sequence);
        }
      }
      break;
    case ApplyStep::Kind::kSwapIn:
      history_ = plan_.history;
      ancestors_ = plan_.ancestors;
      held_.clear();
      applied_ = staged_;
      applied_digests_ = staged_digests_;
      staging_ = false;
      swap_under_way_ = false;
      kept_.clear();
      position_void_ = false;
      synced_ = true;
      applied_moved_ = true;
      ++counters_.snapshots_swapped_in;
      break;
    case ApplyStep::Kind::kKeepSome:
      keep_steps_ = 0;
      keeping_ &= keep_more_;
      break;
    case ApplyStep::Kind::kBeginStaging:
    case ApplyStep::Kind::kDropStaging:
      break;
  }
}

Watermarks Applier::Holds() const {
  Watermarks holds = applied_;
  for (size_t i = 0; !position_void_ && i < held_.size(); ++i) {
    holds[i] = std::max(holds[i], held_[i]);
  }
  return holds;
}

bool Applier::exact() const {
  return !staging_ && !swap_under_way_ && !position_void_ && plan_.history == history_ &&
         (held_.empty() || Covers(applied_, held_));
}

Watermarks Applier::Shown() const {
  Watermarks shown = applied_;
  for (const StepUnderWay& step : under_way_) {
    if (step.to_staging) continue;
    for (const auto& [shard, position] : step.reaches) shown[shard.value()] = position.sequence;
  }
  return shown;
}

Watermarks Applier::AckableApplied() const {
  return staging_ ? Watermarks(streams_.size()) : applied_;
}

}  // namespace tidemark::replication
