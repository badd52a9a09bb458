#include "replication/link/simulated_primary.h"

#include <algorithm>
#include <utility>

#include "cache/keyspace_recorder.h"
#include "fmt/format.h"

namespace tidemark::replication {

SimulatedPrimary::Shard::Shard(ShardId id, const Options& options, BacklogBudget* budget)
    : keyspace(cache::Keyspace::Options()),
      publisher({.shard = id,
                 .shard_count = options.shards,
                 .history = options.history,
                 .limits = {},
                 .budget = budget}),
      snapshots(options.snapshots, &keyspace, &publisher) {
  keyspace.set_sink(&publisher);
}

SimulatedPrimary::SimulatedPrimary(Simulation* sim, const Options& options)
    : sim_(sim), options_(options), budget_(options.backlog_bytes, options.shards) {
  if (options.log) log_ = std::make_unique<SimulatedLog>(sim, *options.log, options.shards);
  for (int i = 0; i < options.shards; ++i) {
    shards_.push_back(
        std::make_unique<Shard>(ShardId(static_cast<uint16_t>(i)), options_, &budget_));
    if (log_ != nullptr) {
      shards_.back()->publisher.Begin(
          {.history = options.history, .end = {}, .ancestors = {}, .log = log_.get()});
    }
    shards_.back()->keyspace.set_now_ms(WallMillis(*sim_));
    Turn(static_cast<size_t>(i));
  }
  hub_ = std::make_unique<PrimaryHub>(options_.hub, this, this, log_.get());
  Tick();
}

SimulatedPrimary::~SimulatedPrimary() {
  *alive_ = false;
  for (auto& [session, connection] : connections_) connection->Close(1);
  connections_.clear();
  hub_.reset();  // Its sessions still reach for the shards.
}

void SimulatedPrimary::In(int64_t delay_us, std::function<void()> event) {
  sim_->In(delay_us, [alive = alive_, event = std::move(event)] {
    if (*alive) event();
  });
}

// --- Shards ---

SimulatedPrimary::Shard& SimulatedPrimary::Owner(const std::string& key) {
  return *shards_[ShardOf(key, KeyHash(key), options_.shards).value()];
}

void SimulatedPrimary::Turn(size_t index) {
  Shard& shard = *shards_[index];
  shard.keyspace.set_now_ms(WallMillis(*sim_));
  if (sim_->Chance(10)) shard.keyspace.ExpireSome(20);
  shard.publisher.OnTurnEnd(WallMillis(*sim_));
  shard.snapshots.DoSlice();
  shard.keyspace.Housekeeping(100);
  In(sim_->Between(100, 6'000), [this, index] { Turn(index); });
}

Watermarks SimulatedPrimary::Emitted() const {
  Watermarks emitted;
  for (const auto& shard : shards_) emitted.push_back(shard->publisher.published_emitted());
  return emitted;
}

Watermarks SimulatedPrimary::BacklogLow() const {
  Watermarks low;
  for (const auto& shard : shards_) low.push_back(shard->publisher.published_backlog_low());
  return low;
}

void SimulatedPrimary::OnEachShard(EachShard each, Done done) {
  const auto left = std::make_shared<int>(options_.shards);
  const auto finish = std::make_shared<Done>(std::move(done));
  for (const auto& shard : shards_) {
    const int64_t at_us =
        std::max(shard->busy_until_us + 1, sim_->now_us() + sim_->Between(1, 3'000));
    shard->busy_until_us = at_us;
    In(at_us - sim_->now_us(), [this, target = shard.get(), each, left, finish] {
      PublishingShard view{target->keyspace, target->publisher, target->snapshots};
      each(view);
      if (--*left == 0) In(sim_->Between(1, 500), [finish] { (*finish)(); });
    });
  }
}

void SimulatedPrimary::AtCut(EachShard each, Done done) {
  const auto finish = std::make_shared<Done>(std::move(done));
  In(sim_->Between(1, 3'000), [this, each = std::move(each), finish] {
    for (const auto& shard : shards_) {
      PublishingShard view{shard->keyspace, shard->publisher, shard->snapshots};
      each(view);
    }
    In(sim_->Between(1, 500), [finish] { (*finish)(); });
  });
}

// --- Clients ---

void SimulatedPrimary::Set(const std::string& key, const std::string& value, int64_t expire_at_ms) {
  Owner(key).keyspace.Set(cache::KeyRef::Of(key), value, expire_at_ms);
}

void SimulatedPrimary::Delete(const std::string& key) {
  Owner(key).keyspace.Delete(cache::KeyRef::Of(key));
}

void SimulatedPrimary::Append(const std::string& key, const std::string& bytes) {
  cache::Keyspace& keyspace = Owner(key).keyspace;
  const cache::Entry* entry = keyspace.Find(cache::KeyRef::Of(key));
  const size_t length = entry == nullptr ? 0 : entry->value().size();
  keyspace.SetRange(cache::KeyRef::Of(key), length, bytes);
}

void SimulatedPrimary::Expire(const std::string& key, int64_t expire_at_ms) {
  Owner(key).keyspace.SetExpiry(cache::KeyRef::Of(key), expire_at_ms);
}

void SimulatedPrimary::Transaction(const std::vector<ShardId>& participants,
                                   const std::function<void(Shard&, ShardId)>& part) {
  const cache::TransactionInfo info{.id = next_transaction_++, .participants = participants};
  for (const ShardId id : participants) {
    Shard& shard = *shards_[id.value()];
    shard.publisher.BeginTransaction(info);
    part(shard, id);
    shard.publisher.EndTransaction();
  }
}

void SimulatedPrimary::SetAll(const std::vector<std::string>& keys, const std::string& value) {
  std::vector<ShardId> participants;
  for (const std::string& key : keys) {
    participants.push_back(ShardOf(key, KeyHash(key), options_.shards));
  }
  std::sort(participants.begin(), participants.end());
  participants.erase(std::unique(participants.begin(), participants.end()), participants.end());
  Transaction(participants, [&](Shard& shard, ShardId id) {
    for (const std::string& key : keys) {
      if (ShardOf(key, KeyHash(key), options_.shards) != id) continue;
      shard.keyspace.Set(cache::KeyRef::Of(key), value, cache::kNoExpiry);
    }
  });
}

void SimulatedPrimary::FlushAll() {
  std::vector<ShardId> all;
  for (int i = 0; i < options_.shards; ++i) all.push_back(ShardId(static_cast<uint16_t>(i)));
  Transaction(all, [](Shard& shard, ShardId) { shard.keyspace.Flush(); });
}

bool SimulatedPrimary::walking() const {
  return std::any_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->keyspace.walking(); });
}

uint64_t SimulatedPrimary::walks() const {
  return shards_[0]->snapshots.completed() + shards_[0]->snapshots.aborted();
}

size_t SimulatedPrimary::subscribed_bytes() const {
  size_t bytes = 0;
  for (const ReplicaStatus& status : hub_->Status(sim_->now_ms())) bytes += status.queue_bytes;
  return bytes;
}

std::map<std::string, std::string> SimulatedPrimary::Contents() {
  std::map<std::string, std::string> contents;
  for (const auto& shard : shards_) {
    for (const auto& [key, stored] : cache::StateOf(shard->keyspace)) {
      contents[key] = fmt::format("{}@{}", stored.value, cache::ToText(stored.expiry));
    }
  }
  return contents;
}

// --- The link thread ---

void SimulatedPrimary::Accept(std::shared_ptr<SimulatedConnection> connection) {
  ReplicaSession* session = hub_->Add("10.0.0.1", sim_->now_ms());
  if (session == nullptr) return connection->Close(1);
  connections_[session] = connection;
  const auto guarded = [this, session, alive = alive_](auto handle) {
    return [this, session, alive, handle](auto... arguments) {
      if (!*alive || !connections_.contains(session)) return;
      handle(arguments...);
      Serve(session);
    };
  };
  connection->Attach(
      1, {.on_bytes = guarded(
              [this, session](std::string_view bytes) { session->OnBytes(bytes, sim_->now_ms()); }),
          .on_writable = guarded([] {}),
          .on_closed = guarded([session] {
            session->link().OnDisconnected(absl::UnavailableError("connection reset"));
          })});
}

void SimulatedPrimary::Serve(ReplicaSession* session) {
  const std::shared_ptr<SimulatedConnection> connection = connections_.at(session);
  session->Pump(sim_->now_ms());
  while (true) {
    std::vector<std::string_view> pieces;
    session->link().Gather(4, &pieces);
    size_t written = 0;
    for (const std::string_view piece : pieces) {
      const size_t taken = connection->Write(1, piece);
      written += taken;
      if (taken < piece.size()) break;
    }
    if (written == 0) break;
    session->OnWritten(written, sim_->now_ms());
  }
  if (!session->link().closed()) return;
  connection->Close(1);
  connections_.erase(session);
  hub_->Remove(session);
}

void SimulatedPrimary::ServeAll() {
  std::vector<ReplicaSession*> sessions;
  for (const auto& [session, connection] : connections_) sessions.push_back(session);
  for (ReplicaSession* session : sessions) {
    if (connections_.contains(session)) Serve(session);
  }
}

void SimulatedPrimary::Tick() {
  hub_->Tick(sim_->now_ms());
  ServeAll();
  In(5'000, [this] { Tick(); });
}

void SimulatedPrimary::Wake() {
  if (std::exchange(wake_scheduled_, true)) return;
  In(sim_->Between(1, 300), [this] {
    wake_scheduled_ = false;
    ServeAll();
  });
}

}  // namespace tidemark::replication
