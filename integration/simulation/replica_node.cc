#include "integration/simulation/replica_node.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/key_hash.h"
#include "cache/keyspace_recorder.h"
#include "fmt/format.h"

namespace tidemark::simulation {
namespace {

constexpr int64_t kTickUs = 5'000;

using replication::ApplyStep;
using replication::ReplicaLink;

}  // namespace

ReplicaNode::ReplicaNode(NodeTime* time, Ledger* ledger, const Options& options, Dial dial)
    : time_(time),
      ledger_(ledger),
      options_(options),
      dial_(std::move(dial)),
      applier_(options.applier),
      link_(options.link, &applier_, time->now_ms()) {
  for (int i = 0; i < options.applier.own_shards; ++i) shards_.push_back(std::make_unique<Shard>());
  Tick();
}

ReplicaNode::~ReplicaNode() {
  time_->EndLife();
  if (connection_ != nullptr) connection_->Close(0);
}

void ReplicaNode::LosePower() {
  if (connection_ != nullptr) connection_->LoseSilently();
}

void ReplicaNode::Stop(int64_t for_us) {
  time_->StopUntil(time_->now_us() + for_us);
  if (connection_ == nullptr) return;
  connection_->SetReading(0, false);
  time_->In(0, [this] {
    if (connection_ != nullptr) connection_->SetReading(0, reading_);
  });
}

void ReplicaNode::Tick() {
  for (const auto& shard : shards_) {
    shard->keyspace.set_now_ms(time_->UnixMillis());
    shard->applier.FreeSome(50);
  }
  link_.Tick(time_->now_ms());
  Serve();
  time_->In(kTickUs, [this] { Tick(); });
}

void ReplicaNode::Serve() {
  while (true) {
    absl::StatusOr<std::optional<ApplyStep>> step = applier_.NextStep();
    if (!step.ok()) {
      link_.Fail(replication::wire::Goodbye::PROTOCOL, step.status(), time_->now_ms());
      break;
    }
    if (!step->has_value()) break;
    HandOut(**std::move(step));
  }
  if (applier_.TakeAppliedMoved()) {
    if (const auto position = applier_.Position()) ledger_->OnApplied(options_.name, *position);
    ledger_->NoteApplied(applier_.history(), applier_.AckableApplied());
    link_.OnApplied(applier_.AckableApplied(), time_->now_ms());
  }
  if (connection_ != nullptr) {
    WriteAll(
        *connection_, 0, [&](std::vector<std::string_view>* pieces) { link_.Gather(4, pieces); },
        [&](size_t bytes) { link_.OnWritten(bytes, time_->now_ms()); });
    if (!link_.wants_connection()) std::exchange(connection_, nullptr)->Close(0);
  }
  SetReading();
  if (connection_ == nullptr && link_.state() == ReplicaLink::State::kConnecting) Connect();
}

void ReplicaNode::SetReading() {
  if (connection_ == nullptr || reading_ == applier_.wants_input()) return;
  reading_ = applier_.wants_input();
  reading_ ? link_.OnReadingResumed(time_->now_ms()) : link_.OnReadingPaused(time_->now_ms());
  connection_->SetReading(0, reading_);
}

void ReplicaNode::Connect() {
  if (std::exchange(connecting_, true)) return;
  time_->In(time_->sim().Between(100, 3'000), [this] {
    connecting_ = false;
    connection_ = dial_();
    if (connection_ == nullptr) {
      link_.OnConnectFailed(absl::UnavailableError("connection refused"), time_->now_ms());
      return Serve();
    }
    const auto guarded = [this, connection = connection_.get()](auto handle) {
      return [this, connection, handle](auto... arguments) {
        if (connection_.get() != connection) return;
        handle(arguments...);
        Serve();
      };
    };
    AttachNode(time_, *connection_, 0,
               {.on_bytes = guarded(
                    [this](std::string_view bytes) { link_.OnBytes(bytes, time_->now_ms()); }),
                .on_writable = guarded([] {}),
                .on_closed = guarded([this] {
                  connection_ = nullptr;
                  link_.OnDisconnected(absl::UnavailableError("connection reset"), time_->now_ms());
                })});
    reading_ = true;
    link_.OnConnected(time_->now_ms());
    Serve();
  });
}

// --- Applying ---

void ReplicaNode::RunStep(const std::shared_ptr<ApplyStep>& step, size_t shard) {
  const replication::Slice* slice = nullptr;
  for (const replication::Slice& candidate : step->slices) {
    if (candidate.shard.value() == shard) slice = &candidate;
  }
  const replication::StepResult result = shards_[shard]->applier.Run(*step, slice);
  time_->In(time_->sim().Between(1, 300),
            [this, id = step->id, shard, result] { Done(id, shard, result); });
}

void ReplicaNode::HandOut(ApplyStep step) {
  const auto shared = std::make_shared<ApplyStep>(std::move(step));
  Simulation& sim = time_->sim();
  if (shared->at_cut) {
    time_->In(sim.Between(10, 2'000), [this, shared] {
      for (size_t shard = 0; shard < shards_.size(); ++shard) RunStep(shared, shard);
    });
    return;
  }
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    const bool takes_part =
        shared->kind != ApplyStep::Kind::kApply ||
        std::any_of(shared->slices.begin(), shared->slices.end(),
                    [&](const auto& slice) { return slice.shard.value() == shard; });
    if (!takes_part) continue;
    int64_t& busy_until_us = shards_[shard]->busy_until_us;
    // Now and then a shard is so busy that a link is lost and back before it comes to the step.
    const int64_t delay_us = sim.Between(1, sim.Chance(2) ? 60'000 : 3'000);
    busy_until_us = std::max(busy_until_us + 1, sim.now_us() + delay_us);
    time_->In(busy_until_us - sim.now_us(), [this, shared, shard] { RunStep(shared, shard); });
  }
}

void ReplicaNode::Done(uint64_t step, size_t shard, const replication::StepResult& result) {
  const absl::Status status =
      applier_.OnShardDone(step, ShardId(static_cast<uint16_t>(shard)), result);
  if (!status.ok()) {
    link_.Fail(replication::wire::Goodbye::PROTOCOL, status, time_->now_ms());
  }
  Serve();
}

// --- To look at ---

std::string ReplicaNode::Check() {
  if (std::string fault = CheckGoesForward(); !fault.empty()) return fault;
  const Watermarks ackable = applier_.AckableApplied();
  const bool streams =
      link_.state() == ReplicaLink::State::kStreaming && link_.received().size() == ackable.size();
  for (size_t i = 0; streams && i < ackable.size(); ++i) {
    if (link_.received()[i] < ackable[i]) return "applied is beyond received";
  }
  // What it reads in one go may come on top: a socket's window, taken apart into records.
  constexpr size_t kSlackBytes = 192 << 10;
  if (applier_.pending_bytes() > options_.applier.max_pending_bytes + kSlackBytes) {
    return fmt::format("{} bytes wait to be applied", applier_.pending_bytes());
  }
  return "";
}

std::string ReplicaNode::CheckGoesForward() {
  if (applier_.history() == seen_history_) {
    for (size_t i = 0; i < seen_applied_.size(); ++i) {
      if (applier_.applied()[i] < seen_applied_[i]) return "the applied vector went back";
    }
  } else if (seen_history_ != HistoryId() &&
             applier_.counters().snapshots_swapped_in == seen_swaps_) {
    ++continued_;
  }
  seen_swaps_ = applier_.counters().snapshots_swapped_in;
  seen_history_ = applier_.history();
  seen_applied_ = applier_.applied();
  return "";
}

std::string ReplicaNode::Read(const std::string& key) {
  const uint64_t hash = KeyHash(key);
  Shard& owner = *shards_[ShardOf(key, hash, static_cast<int>(shards_.size())).value()];
  const cache::Entry* entry = owner.keyspace.Peek({key, hash});
  return entry == nullptr ? "" : std::string(entry->value());
}

Contents ReplicaNode::ContentsNow() {
  Contents contents;
  for (const auto& shard : shards_) contents.merge(cache::StateOf(shard->keyspace));
  return contents;
}

}  // namespace tidemark::simulation
