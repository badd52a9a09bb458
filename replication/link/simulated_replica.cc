#include "replication/link/simulated_replica.h"

#include <algorithm>
#include <utility>

#include "cache/keyspace_recorder.h"
#include "fmt/format.h"
#include "replication/link/simulated_primary.h"

namespace tidemark::replication {

SimulatedReplica::SimulatedReplica(Simulation* sim, const Options& options, Dial dial)
    : sim_(sim),
      dial_(std::move(dial)),
      applier_(options.applier),
      link_(options.link, &applier_, sim->now_ms()) {
  for (int i = 0; i < options.applier.own_shards; ++i) {
    shards_.push_back(std::make_unique<Shard>());
  }
  Tick();
}

SimulatedReplica::~SimulatedReplica() {
  *alive_ = false;
  if (connection_ != nullptr) connection_->Close(0);
}

void SimulatedReplica::In(int64_t delay_us, std::function<void()> event) {
  sim_->In(delay_us, [alive = alive_, event = std::move(event)] {
    if (*alive) event();
  });
}

void SimulatedReplica::Tick() {
  for (const auto& shard : shards_) {
    shard->keyspace.set_now_ms(SimulatedPrimary::WallMillis(*sim_));
    shard->applier.FreeSome(50);
  }
  link_.Tick(sim_->now_ms());
  Serve();
  In(5'000, [this] { Tick(); });
}

void SimulatedReplica::Serve() {
  while (true) {
    absl::StatusOr<std::optional<ApplyStep>> step = applier_.NextStep();
    if (!step.ok()) {
      link_.Fail(wire::Goodbye::PROTOCOL, step.status(), sim_->now_ms());
      break;
    }
    if (!step->has_value()) break;
    HandOut(**std::move(step));
  }
  if (applier_.TakeAppliedMoved()) {
    link_.OnApplied(applier_.AckableApplied(), sim_->now_ms());
  }
  if (connection_ != nullptr) {
    Write();
    if (!link_.wants_connection()) std::exchange(connection_, nullptr)->Close(0);
  }
  if (connection_ != nullptr && reading_ != applier_.wants_input()) {
    reading_ = applier_.wants_input();
    reading_ ? link_.OnReadingResumed(sim_->now_ms()) : link_.OnReadingPaused(sim_->now_ms());
    connection_->SetReading(0, reading_);
  }
  if (connection_ == nullptr && link_.state() == ReplicaLink::State::kConnecting) Connect();
}

void SimulatedReplica::Connect() {
  if (std::exchange(connecting_, true)) return;
  In(sim_->Between(100, 3'000), [this] {
    connecting_ = false;
    connection_ = dial_();
    if (connection_ == nullptr) {
      link_.OnConnectFailed(absl::UnavailableError("connection refused"), sim_->now_ms());
    } else {
      Attach();
      reading_ = true;
      link_.OnConnected(sim_->now_ms());
    }
    Serve();
  });
}

void SimulatedReplica::Attach() {
  const auto guarded = [this, alive = alive_, connection = connection_.get()](auto handle) {
    return [this, alive, connection, handle](auto... arguments) {
      if (!*alive || connection_.get() != connection) return;
      handle(arguments...);
      Serve();
    };
  };
  connection_->Attach(
      0, {.on_bytes =
              guarded([this](std::string_view bytes) { link_.OnBytes(bytes, sim_->now_ms()); }),
          .on_writable = guarded([] {}),
          .on_closed = guarded([this] {
            connection_ = nullptr;
            link_.OnDisconnected(absl::UnavailableError("connection reset"), sim_->now_ms());
          })});
}

void SimulatedReplica::Write() {
  while (true) {
    std::vector<std::string_view> pieces;
    link_.Gather(4, &pieces);
    size_t written = 0;
    for (const std::string_view piece : pieces) written += connection_->Write(0, piece);
    if (written == 0) return;
    link_.OnWritten(written, sim_->now_ms());
  }
}

void SimulatedReplica::HandOut(ApplyStep step) {
  const auto shared = std::make_shared<ApplyStep>(std::move(step));
  const auto run = [this, shared](size_t shard) {
    const Slice* slice = nullptr;
    for (const Slice& candidate : shared->slices) {
      if (candidate.shard.value() == shard) slice = &candidate;
    }
    const StepResult result = shards_[shard]->applier.Run(*shared, slice);
    In(sim_->Between(1, 300), [this, shared, shard, result] { Done(shared->id, shard, result); });
  };
  if (shared->at_cut) {
    In(sim_->Between(10, 2'000), [this, run] {
      for (size_t shard = 0; shard < shards_.size(); ++shard) run(shard);
    });
    return;
  }
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    const bool takes_part =
        shared->kind != ApplyStep::Kind::kApply ||
        std::any_of(shared->slices.begin(), shared->slices.end(),
                    [&](const Slice& slice) { return slice.shard.value() == shard; });
    if (!takes_part) continue;
    int64_t& busy_until_us = shards_[shard]->busy_until_us;
    // Now and then a shard is so busy that a link is lost and back before it comes to the step.
    const int64_t delay_us = sim_->Between(1, sim_->Chance(2) ? 60'000 : 3'000);
    busy_until_us = std::max(busy_until_us + 1, sim_->now_us() + delay_us);
    In(busy_until_us - sim_->now_us(), [run, shard] { run(shard); });
  }
}

void SimulatedReplica::Done(uint64_t step, size_t shard, const StepResult& result) {
  const absl::Status status =
      applier_.OnShardDone(step, ShardId(static_cast<uint16_t>(shard)), result);
  if (!status.ok()) link_.Fail(wire::Goodbye::PROTOCOL, status, sim_->now_ms());
  Serve();
}

std::string SimulatedReplica::Read(const std::string& key) {
  const uint64_t hash = KeyHash(key);
  Shard& owner = *shards_[ShardOf(key, hash, static_cast<int>(shards_.size())).value()];
  const cache::Entry* entry = owner.keyspace.Peek({key, hash});
  return entry == nullptr ? "" : std::string(entry->value());
}

std::map<std::string, std::string> SimulatedReplica::Contents() {
  std::map<std::string, std::string> contents;
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const auto& [key, stored] : cache::StateOf(shards_[i]->keyspace)) {
      const bool fresh =
          contents.emplace(key, fmt::format("{}@{}", stored.value, cache::ToText(stored.expiry)))
              .second;
      if (!fresh) contents[key] = "on two shards";
    }
  }
  return contents;
}

}  // namespace tidemark::replication
