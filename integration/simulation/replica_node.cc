#include "integration/simulation/replica_node.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/key_hash.h"
#include "cache/keyspace_recorder.h"
#include "fmt/format.h"
#include "integration/simulation/keyspace_loader.h"
#include "wal/discarded.h"
#include "wal/export/export_position.h"

namespace tidemark::simulation {
namespace {

constexpr int64_t kTickUs = 5'000;

using replication::ApplyStep;
using replication::ReplicaLink;

Watermarks SequencesOf(const replication::ReplicaPosition& position) {
  Watermarks sequences;
  for (const replication::ShardPosition& shard : position.shards) {
    sequences.push_back(shard.sequence);
  }
  return sequences;
}

}  // namespace

// --- A life ---

ReplicaNode::ReplicaNode(NodeTime* time, Ledger* ledger, const Options& options, Dial dial,
                         std::vector<std::unique_ptr<cache::Keyspace>> keyspaces,
                         std::unique_ptr<NodeStore> store)
    : time_(time),
      ledger_(ledger),
      options_(options),
      dial_(std::move(dial)),
      store_(std::move(store)),
      applier_(options.applier),
      relay_(&applier_, options.relay_bytes),
      receiver_(&relay_),
      link_(options.link, &receiver_, time->now_ms()),
      events_(time) {
  for (size_t i = 0; i < keyspaces.size(); ++i) {
    shards_.push_back(
        std::make_unique<Shard>(ShardId(static_cast<uint16_t>(i)), std::move(keyspaces[i])));
  }
}

absl::StatusOr<std::unique_ptr<ReplicaNode>> ReplicaNode::Start(NodeTime* time, wal::Disk* disk,
                                                                Ledger* ledger,
                                                                const Options& options, Dial dial) {
  std::vector<std::unique_ptr<cache::Keyspace>> keyspaces;
  std::vector<cache::Keyspace*> loaded;
  for (int i = 0; i < options.applier.own_shards; ++i) {
    keyspaces.push_back(std::make_unique<cache::Keyspace>(
        cache::Keyspace::Options{.sink = nullptr, .effects_only = true}));
    loaded.push_back(keyspaces.back().get());
  }
  std::unique_ptr<NodeStore> store;
  if (disk != nullptr) {
    store = std::make_unique<NodeStore>(time, *disk, options.store);
    KeyspaceLoader loader(loaded);
    const absl::Status recovered =
        store->Recover(/*follow=*/true, options.applier.own_shards, options.directory_id, loader);
    if (!recovered.ok()) return recovered;
  }
  std::unique_ptr<ReplicaNode> node(new ReplicaNode(time, ledger, options, std::move(dial),
                                                    std::move(keyspaces), std::move(store)));
  if (node->store_ != nullptr) node->BeginFromLog();
  node->Tick();
  return node;
}

void ReplicaNode::BeginFromLog() {
  const wal::Recovered& recovered = store_->recovered();
  ledger_->OnFollowerRecovered(options_.name, recovered, ContentsNow());
  // As NodeDurability::FindRecoveredStream.
  replication::ReplicaPosition start{.history = recovered.history, .shards = {}};
  for (const wal::ShardPosition& border : recovered.borders) {
    start.shards.push_back({border.sequence, border.digest});
  }
  std::vector<uint64_t> keys;
  for (const auto& shard : shards_) keys.push_back(shard->keyspace.size());
  const Watermarks held = wal::SequencesOf(recovered.positions);
  stream_ =
      std::make_unique<server::FollowedStream>(store_->keeper(), [this](std::function<void()> job) {
        // Its thread waits for the disk, and runs one job after another.
        const int64_t at_us = std::max(stream_busy_until_us_, time_->now_us()) +
                              time_->sim().Between(10, time_->sim().Chance(10) ? 50'000 : 3'000);
        stream_busy_until_us_ = at_us;
        events_.In(at_us - time_->now_us(), std::move(job));
      });
  stream_->set_on_discard(
      [this](const auto& discarded, const Watermarks& after) { OnDiscard(discarded, after); });
  stream_->set_on_change([this] { ServeSoon(); });
  store_->set_on_room([this] { stream_->Wake(); });
  applier_.Begin(start, held, std::move(keys));
  receiver_.set_log(stream_.get());
  snapshots_ = std::make_unique<SnapshotTask>(time_, *store_);
}

ReplicaNode::~ReplicaNode() {
  if (store_ != nullptr) store_->Die();
  if (stream_ != nullptr) stream_->Stop();
  if (connection_ != nullptr) connection_->Close(0);
}

absl::Status ReplicaNode::Close() {
  if (stream_ == nullptr) return absl::OkStatus();
  stream_->Stop();
  return store_->keeper().Close();
}

// Names and saves what a full sync throws away, as NodeDurability::KeepDiscarded.
void ReplicaNode::OnDiscard(const replication::ReplicaPosition& held, const Watermarks& after) {
  ++discards_;
  named_ = {.held = held, .after = after};
  ledger_->OnDiscard(options_.name, held, after, link_.plan().history);
  wal::SaveDiscarded(store_->directory(), held.history, after, {}).IgnoreError();
}

void ReplicaNode::LosePower() {
  if (connection_ != nullptr) connection_->LoseSilently();
}

void ReplicaNode::Stop(int64_t for_us) {
  time_->StopUntil(time_->now_us() + for_us);
  if (connection_ == nullptr) return;
  connection_->SetReading(0, false);
  events_.In(0, [this] {
    if (connection_ != nullptr) connection_->SetReading(0, reading_);
  });
}

void ReplicaNode::Tick() {
  for (const auto& shard : shards_) {
    shard->keyspace.set_now_ms(time_->UnixMillis());
    shard->applier.FreeSome(50);
    shard->walk.DoSlice();
  }
  if (store_ != nullptr && store_->keeper().wants_snapshot()) TakeSnapshot();
  link_.Tick(time_->now_ms());
  Serve();
  events_.In(kTickUs, [this] { Tick(); });
}

void ReplicaNode::ServeSoon() {
  if (std::exchange(serve_scheduled_, true)) return;
  events_.In(time_->sim().Between(1, 300), [this] {
    serve_scheduled_ = false;
    Serve();
  });
}

void ReplicaNode::Serve() {
  if (!observers_.empty()) Observe();
  while (observers_.empty()) {
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
  if (stream_ != nullptr) ServeLog();
  if (connection_ != nullptr) {
    WriteAll(
        *connection_, 0, [&](std::vector<std::string_view>* pieces) { link_.Gather(4, pieces); },
        [&](size_t bytes) { link_.OnWritten(bytes, time_->now_ms()); });
    if (!link_.wants_connection()) std::exchange(connection_, nullptr)->Close(0);
  }
  SetReading();
  if (connection_ == nullptr && link_.state() == ReplicaLink::State::kConnecting) Connect();
  FinishIfDone();
}

void ReplicaNode::ServeLog() {
  const uint64_t swaps = applier_.counters().snapshots_swapped_in;
  if (const uint64_t plans = link_.counters().plans_with_snapshot; plans != seen_plans_) {
    seen_plans_ = plans;
    const replication::ReplicaPosition held = applier_.Held();
    // A full sync that is begun again need not name again what it did the first time.
    const HistoryId taken = link_.plan().history;
    const bool named = held == named_.held && !ledger_->Unnamed(held, named_.after, taken);
    must_name_ = !named && ledger_->Missing(held.history, SequencesOf(held), taken) > 0;
    named_at_plan_ = discards_;
  }
  if (std::exchange(served_swaps_, swaps) != swaps) {
    ledger_->OnStreamReplaced(options_.name);
    stream_->OnServed();
  }
  stream_->OnTurnEnd();
  if (must_name_ && !stream_->busy()) {
    // The log of the new stream has taken the place of the one that held them.
    must_name_ = false;
    // If its log has failed, they are there still.
    if (discards_ == named_at_plan_ && stream_->failure().empty()) {
      ledger_->Fail(options_.name + " throws records away and has named none");
    }
  }
  const Watermarks durable = stream_->Durable();
  if (durable.empty()) return;
  const std::shared_ptr<wal::Log> log = store_->log();
  // One that keeps nothing any more says zeros.
  if (log != nullptr && stream_->failure().empty() && !store_->keeper().restarting()) {
    ledger_->OnDurable(options_.name, log->history(), durable);
  }
  link_.OnDurable(durable, time_->now_ms());
}

void ReplicaNode::SetReading() {
  if (connection_ == nullptr || reading_ == WantsInput()) return;
  reading_ = !reading_;
  reading_ ? link_.OnReadingResumed(time_->now_ms()) : link_.OnReadingPaused(time_->now_ms());
  connection_->SetReading(0, reading_);
}

bool ReplicaNode::WantsInput() const {
  return applier_.wants_input() && (stream_ == nullptr || stream_->wants_input());
}

void ReplicaNode::Connect() {
  if (std::exchange(connecting_, true)) return;
  events_.In(time_->sim().Between(100, 3'000), [this] {
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
    AttachNode(events_, *connection_, 0,
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
  events_.In(time_->sim().Between(1, 300),
             [this, id = step->id, shard, result] { Done(id, shard, result); });
}

void ReplicaNode::HandOut(ApplyStep step) {
  const auto shared = std::make_shared<ApplyStep>(std::move(step));
  Simulation& sim = time_->sim();
  if (shared->at_cut) {
    events_.In(sim.Between(10, 2'000), [this, shared] {
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
    events_.In(busy_until_us - sim.now_us(), [this, shared, shard] { RunStep(shared, shard); });
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

// --- Cuts, and the end of the role ---

void ReplicaNode::TakeSnapshot() {
  if (snapshots_ == nullptr || finishing()) return;
  snapshots_->BeginAtCut(static_cast<int>(shards_.size()),
                         [this](SnapshotTask::QueueRef queue, SnapshotTask::CutKnown known) {
                           observers_.push_back({std::move(queue), std::move(known)});
                           ServeSoon();
                         });
}

void ReplicaNode::Observe() {
  if (observing_ || !applier_.idle()) return;
  observing_ = true;
  events_.In(time_->sim().Between(10, 2'000), [this] {
    const Observer observer = std::move(observers_.front());
    observers_.erase(observers_.begin());
    bool begun = true;
    for (const auto& shard : shards_) begun &= shard->walk.Begin(observer.queue);
    const replication::ReplicaPosition at = applier_.position();
    events_.In(time_->sim().Between(1, 500), [this, observer, begun, at] {
      observing_ = false;
      if (begun) {
        observer.known(at);
      } else {
        observer.known(absl::UnavailableError("another walk of the keyspace is under way"));
      }
      Serve();
    });
  });
}

void ReplicaNode::Finish(std::function<void(replication::ReplicaClient::Ending)> done) {
  finished_ = std::move(done);
  link_.Stop(time_->now_ms());
  ServeSoon();
}

void ReplicaNode::FinishIfDone() {
  if (!finishing() || link_.state() != ReplicaLink::State::kStopped) return;
  // As ReplicaClient does; and the stream's jobs come to their end.
  if (!observers_.empty() || observing_ || (stream_ != nullptr && stream_->busy())) return;
  const std::optional<replication::ReplicaPosition> position = applier_.Position();
  if (!position.has_value()) return;
  replication::ReplicaClient::Ending ending;
  ending.position = *position;
  ending.ancestors = applier_.ancestors();
  ending.emitted = link_.emitted();
  ending.tail = relay_.Take(position->shards);
  ending.keys = applier_.keys();
  ending.whole = applier_.whole();
  const auto shared = std::make_shared<replication::ReplicaClient::Ending>(std::move(ending));
  events_.In(time_->sim().Between(1, 500),
             [shared, done = std::exchange(finished_, nullptr)] { done(std::move(*shared)); });
}

std::vector<std::unique_ptr<cache::Keyspace>> ReplicaNode::TakeKeyspaces() {
  std::vector<std::unique_ptr<cache::Keyspace>> keyspaces;
  for (const auto& shard : shards_) keyspaces.push_back(std::move(shard->owned));
  shards_.clear();  // Ends a walk that is under way.
  return keyspaces;
}

std::unique_ptr<NodeStore> ReplicaNode::TakeStore() {
  snapshots_ = nullptr;
  stream_->Stop();
  store_->set_on_room([] {});
  return std::move(store_);
}

// --- To look at ---

bool ReplicaNode::log_failed() const {
  if (stream_ == nullptr) return false;
  const std::shared_ptr<wal::Log> log = store_->log();
  return !stream_->failure().empty() || (log != nullptr && log->state() == wal::LogState::kFailed);
}

std::string ReplicaNode::LogText() const {
  const std::shared_ptr<wal::Log> log = store_ == nullptr ? nullptr : store_->log();
  if (log == nullptr) return "no log";
  std::string marks;
  for (const Sequence durable : log->DurableCut()) marks += fmt::format(" {}", durable.value());
  const wal::StreamKeeper& keeper = store_->keeper();
  return fmt::format("log of history {} at{}, {}{}{}{}", log->history().value(), marks,
                     snapshots_->last_failure().ToString(),
                     keeper.restarting() ? ", a full sync is not whole" : "",
                     keeper.wants_snapshot() ? ", wants a snapshot" : "", stream_->failure());
}

bool ReplicaNode::exact() const {
  if (!applier_.whole()) return false;
  if (store_ == nullptr || applier_.counters().snapshots_swapped_in > 0) return true;
  return wal::Reaches(applier_.applied(), wal::SequencesOf(store_->recovered().positions));
}

Watermarks ReplicaNode::Durable() const {
  return stream_ == nullptr ? Watermarks() : stream_->Durable();
}

void ReplicaNode::SyncLog() {
  const std::shared_ptr<wal::Log> log = store_ == nullptr ? nullptr : store_->log();
  if (log == nullptr || log->shard_count() != applier_.applied().size()) return;
  log->SyncThrough(applier_.applied(), [](absl::Status) {});
}

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

bool ReplicaNode::walking() const {
  return std::any_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->keyspace.walking(); });
}

Contents ReplicaNode::ContentsNow() {
  Contents contents;
  for (const auto& shard : shards_) contents.merge(cache::StateOf(shard->keyspace));
  return contents;
}

}  // namespace tidemark::simulation
