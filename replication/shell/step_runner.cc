#include "replication/shell/step_runner.h"

#include <atomic>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace tidemark::replication {
namespace {

// Of a shard's part of a step, as it came; about what it adds to memory, at most.
size_t BytesOf(const Slice& slice) {
  size_t bytes = 0;
  for (const SlicePart& part : slice.parts) {
    if (part.frame != nullptr) bytes += part.frame->memory_bytes();
  }
  return bytes;
}

}  // namespace

// A step on its way over the shards, and what they report.
struct StepRunner::Round {
  ApplyStep step;
  std::vector<const Slice*> slices;  // Of each shard; null: none.
  std::vector<ShardId> shards;       // That take part.
  std::vector<StepResult> results;   // Each shard writes its own, as below; read when `left` is 0.
  std::vector<int64_t> nanos;
  std::atomic<size_t> left{0};
};

StepRunner::StepRunner(LinkLoop* loop, Applier* applier,
                       const std::vector<cache::Keyspace*>& keyspaces,
                       const std::vector<ShardRelay*>& relays, ShardCalls calls, Events events)
    : loop_(loop), applier_(applier), calls_(std::move(calls)), events_(std::move(events)) {
  for (size_t i = 0; i < keyspaces.size(); ++i) {
    shards_.push_back(
        std::make_unique<ShardApplier>(keyspaces[i], relays.empty() ? nullptr : relays[i]));
  }
}

absl::Status StepRunner::HandOut() {
  if (!observers_.empty()) {
    ServeObserver();
    return absl::OkStatus();
  }
  while (true) {
    absl::StatusOr<std::optional<ApplyStep>> step = applier_->NextStep();
    if (!step.ok()) return step.status();
    if (!step->has_value()) return absl::OkStatus();
    HandOut(**std::move(step));
  }
}

void StepRunner::HandOut(ApplyStep step) {
  const auto round = std::make_shared<Round>();
  round->step = std::move(step);
  if (!round->step.to_staging) events_.before_visible();
  round->slices.resize(shards_.size());
  round->results.resize(shards_.size());
  round->nanos.resize(shards_.size());
  for (const Slice& slice : round->step.slices) round->slices[slice.shard.value()] = &slice;
  const bool all = round->step.at_cut || round->step.kind != ApplyStep::Kind::kApply;
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (all || round->slices[i] != nullptr) {
      round->shards.push_back(ShardId(static_cast<uint16_t>(i)));
    }
  }
  round->left = round->shards.size();
  const auto run = [this, round](ShardId shard) {
    const size_t i = shard.value();
    const int64_t began_ns = Clock::System().MonotonicNanos();
    round->results[i] = shards_[i]->Run(round->step, round->slices[i]);
    round->nanos[i] = Clock::System().MonotonicNanos() - began_ns;
  };
  if (round->step.at_cut) {
    calls_.at_cut(run, [this, round, loop = loop_->poster()] {
      loop.Post([this, round] { OnRoundDone(*round); });
    });
    return;
  }
  for (const ShardId shard : round->shards) {
    calls_.post(shard, [this, run, shard, round, loop = loop_->poster()] {
      run(shard);
      const auto done = [this, round, loop] {
        // The last one sees what all the others did.
        if (round->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        loop.Post([this, round] { OnRoundDone(*round); });
      };
      if (calls_.pace == nullptr || round->step.kind != ApplyStep::Kind::kApply) return done();
      calls_.pace(shard, BytesOf(*round->slices[shard.value()]), done);
    });
  }
}

void StepRunner::OnRoundDone(const Round& round) {
  absl::Status status = absl::OkStatus();
  for (const ShardId shard : round.shards) {
    apply_ns_ += static_cast<uint64_t>(round.nanos[shard.value()]);
    status.Update(applier_->OnShardDone(round.step.id, shard, round.results[shard.value()]));
  }
  events_.on_done(status);
}

void StepRunner::ServeObserver() {
  if (observing_ || !applier_->idle()) return;
  observing_ = true;
  if (observers_.front().before) observers_.front().before();
  calls_.at_cut(observers_.front().each, [this, loop = loop_->poster()] {
    loop.Post([this] {
      Observer observer = std::move(observers_.front());
      observers_.pop_front();
      observing_ = false;
      observer.done(applier_->position());
      events_.on_done(absl::OkStatus());
    });
  });
}

}  // namespace tidemark::replication
