// A primary for tests: real keyspaces, publishers, snapshots and PrimaryHub, on simulated shards
// and a simulated network.

#ifndef TIDEMARK_REPLICATION_LINK_SIMULATED_PRIMARY_H_
#define TIDEMARK_REPLICATION_LINK_SIMULATED_PRIMARY_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/keyspace.h"
#include "replication/link/primary_hub.h"
#include "replication/link/simulated_log.h"
#include "replication/link/simulated_network.h"

namespace tidemark::replication {

class SimulatedPrimary final : public ShardAccess, public LinkWaker {
 public:
  struct Options {
    int shards = 1;
    HistoryId history;
    size_t backlog_bytes = 64 << 10;
    SnapshotProducer::Options snapshots;
    PrimaryHub::Options hub;
    std::optional<SimulatedLog::Options> log;  // None: the primary keeps nothing on disk.
  };
  SimulatedPrimary(Simulation* sim, const Options& options);
  ~SimulatedPrimary() override;

  // --- What clients do ---
  void Set(const std::string& key, const std::string& value, int64_t expire_at_ms);
  void Delete(const std::string& key);
  void Append(const std::string& key, const std::string& bytes);
  void Expire(const std::string& key, int64_t expire_at_ms);
  // All keys to one value, as one transaction.
  void SetAll(const std::vector<std::string>& keys, const std::string& value);
  void FlushAll();

  void Accept(std::shared_ptr<SimulatedConnection> connection);  // It is end 1.
  PrimaryHub& hub() { return *hub_; }
  const SimulatedLog* log() const { return log_.get(); }
  uint64_t walks() const;           // Snapshots that shard 0 has sent or given up.
  size_t subscribed_bytes() const;  // Held for replicas, all of them together.
  bool walking() const;             // Some shard is: a snapshot is on its way.
  // Value and expiry of each key, as one string. Requires: !walking().
  std::map<std::string, std::string> Contents();
  static int64_t WallMillis(const Simulation& sim) { return 1'700'000'000'000 + sim.now_ms(); }

  // ShardAccess.
  int shard_count() const override { return options_.shards; }
  HistoryId history() const override { return options_.history; }
  Watermarks Emitted() const override;
  Watermarks BacklogLow() const override;
  void OnEachShard(EachShard each, Done done) override;
  void AtCut(EachShard each, Done done) override;
  // LinkWaker.
  void Wake() override;
  void WakeShard(ShardId shard) override {}  // Its next turn comes anyway.

 private:
  struct Shard {
    Shard(ShardId id, const Options& options, BacklogBudget* budget);
    cache::Keyspace keyspace;
    ShardPublisher publisher;
    SnapshotProducer snapshots;
    int64_t busy_until_us = 0;  // Posted tasks run in order.
  };
  Shard& Owner(const std::string& key);
  void Transaction(const std::vector<ShardId>& participants,
                   const std::function<void(Shard&, ShardId)>& part);
  void Turn(size_t shard);
  void Tick();
  void Serve(ReplicaSession* session);
  void ServeAll();
  // Runs `event` unless this primary is gone by then.
  void In(int64_t delay_us, std::function<void()> event);

  Simulation* const sim_;
  const Options options_;
  BacklogBudget budget_;
  std::unique_ptr<SimulatedLog> log_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<PrimaryHub> hub_;
  std::map<ReplicaSession*, std::shared_ptr<SimulatedConnection>> connections_;
  uint64_t next_transaction_ = 1;
  bool wake_scheduled_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_SIMULATED_PRIMARY_H_
