// ReplicaNode is a simulated process while it is a replica: the production ReplicaLink, Applier,
// ShardAppliers and keyspaces; and, if it has a disk, its own log: StreamKeeper, FollowedStream,
// recovery and snapshots from one cut. Threads and sockets are events.
//
// Without a disk it comes back empty after a crash.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time, disk and ledger.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_REPLICA_NODE_H_
#define TIDEMARK_INTEGRATION_SIMULATION_REPLICA_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/keyspace.h"
#include "integration/simulation/contents.h"
#include "integration/simulation/endpoint.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/node_store.h"
#include "integration/simulation/node_time.h"
#include "integration/simulation/snapshot_task.h"
#include "replication/apply/applier.h"
#include "replication/apply/shard_applier.h"
#include "replication/cut_walk.h"
#include "replication/link/logged_receiver.h"
#include "replication/link/relay_backlog.h"
#include "replication/link/replica_link.h"
#include "replication/shell/replica_client.h"
#include "server/followed_stream.h"
#include "wal/disk/disk.h"

namespace tidemark::simulation {

class ReplicaNode {
 public:
  struct Options {
    std::string name;
    replication::ReplicaLink::Options link;
    replication::Applier::Options applier;
    size_t relay_bytes = 16 << 10;
    HistoryId directory_id;  // Of a new directory; nothing but unique.
    NodeStore::Options store;
  };
  // A connection to the primary of which the replica is end 0, or null if none can be had now.
  using Dial = std::function<ConnectionRef()>;

  // Recovers what the disk holds, and follows. `disk`: null: it keeps nothing. An error: the
  // process ends at once.
  static absl::StatusOr<std::unique_ptr<ReplicaNode>> Start(NodeTime* time, wal::Disk* disk,
                                                            Ledger* ledger, const Options& options,
                                                            Dial dial);
  ~ReplicaNode();

  // --- To become the primary ---

  // Ends the link and has all that came applied as far as it is whole; then calls `done`, not from
  // within the call.
  void Finish(std::function<void(replication::ReplicaClient::Ending)> done);
  bool finishing() const { return finished_ != nullptr; }
  // What the process goes on with, in its other role. This object is good for nothing after it.
  std::vector<std::unique_ptr<cache::Keyspace>> TakeKeyspaces();
  std::unique_ptr<NodeStore> TakeStore();

  // It is not scheduled for so long; its sockets' buffers fill up meanwhile.
  void Stop(int64_t for_us);
  // The machine loses power: the primary does not hear of it.
  void LosePower();

  void TakeSnapshot();
  void SyncLog();  // Whatever the policy, all that was logged by now.
  // In good order; an error: the disk does not let it.
  absl::Status Close();

  replication::ReplicaLink& link() { return link_; }
  const replication::Applier& applier() const { return applier_; }
  const ConnectionRef& connection() const { return connection_; }  // Null: none.
  // Whether no step is under way, so that the keyspaces hold exactly what applied() says.
  bool settled() const { return applier_.idle(); }
  // Whether a position describes what it shows: not while a log that ended within a frame still
  // waits for the rest of it.
  bool exact() const;

  NodeStore* store() const { return store_.get(); }  // Null: it keeps nothing.
  // Its log takes nothing any more.
  bool log_failed() const;
  // A change of its stream waits for space on its disk; and how often one has.
  bool waits_for_space() const { return stream_ != nullptr && !stream_->waiting().empty(); }
  uint64_t delayed_plans() const { return stream_ == nullptr ? 0 : stream_->delayed_plans(); }
  std::string LogText() const;  // Its state, for people.
  const SnapshotTask::Counts& snapshots() const { return snapshots_->counts(); }
  uint64_t discards() const { return discards_; }  // Full syncs that threw records away.
  // What of the stream that it follows no crash can take; empty: nothing is known.
  Watermarks Durable() const;

  // What is not as it must be, or empty.
  std::string Check();
  // How often it has gone on in another history with the data that it had.
  uint64_t continued() const { return continued_; }
  // The value as a reader sees it now; empty: absent.
  std::string Read(const std::string& key);
  bool walking() const;
  Contents ContentsNow();  // Requires: !walking().

 private:
  struct Shard {
    Shard(ShardId id, std::unique_ptr<cache::Keyspace> of)
        : owned(std::move(of)), keyspace(*owned), applier(&keyspace), walk(id, &keyspace) {}
    std::unique_ptr<cache::Keyspace> owned;
    cache::Keyspace& keyspace;
    replication::ShardApplier applier;
    replication::CutWalk walk;
    int64_t busy_until_us = 0;
  };
  // What a cut of the replica's shards is asked for.
  struct Observer {
    SnapshotTask::QueueRef queue;
    SnapshotTask::CutKnown known;
  };

  ReplicaNode(NodeTime* time, Ledger* ledger, const Options& options, Dial dial,
              std::vector<std::unique_ptr<cache::Keyspace>> keyspaces,
              std::unique_ptr<NodeStore> store);
  void BeginFromLog();
  void OnDiscard(const replication::ReplicaPosition& held, const Watermarks& after);
  void Tick();
  // Does whatever the link and the applier want by now.
  void Serve();
  void ServeSoon();
  void ServeLog();
  void Observe();
  void FinishIfDone();
  void Connect();
  void SetReading();
  bool WantsInput() const;
  void HandOut(replication::ApplyStep step);
  void RunStep(const std::shared_ptr<replication::ApplyStep>& step, size_t shard);
  void Done(uint64_t step, size_t shard, const replication::StepResult& result);
  std::string CheckGoesForward();

  NodeTime* const time_;
  Ledger* const ledger_;
  const Options options_;
  const Dial dial_;
  std::unique_ptr<NodeStore> store_;  // Null: it keeps nothing.
  std::vector<std::unique_ptr<Shard>> shards_;
  replication::Applier applier_;
  replication::RelayBacklog relay_;
  replication::LoggedReceiver receiver_;
  replication::ReplicaLink link_;
  std::unique_ptr<server::FollowedStream> stream_;
  std::unique_ptr<SnapshotTask> snapshots_;
  std::function<void(replication::ReplicaClient::Ending)> finished_;  // Null: not asked for.
  std::vector<Observer> observers_;  // While there are any, no step is handed out.
  bool observing_ = false;
  bool serve_scheduled_ = false;
  int64_t stream_busy_until_us_ = 0;
  uint64_t discards_ = 0;
  // Of the snapshot that is coming: it takes the place of records that must be named before.
  uint64_t seen_plans_ = 0;
  bool must_name_ = false;
  uint64_t named_at_plan_ = 0;  // discards_ then.
  struct {
    replication::ReplicaPosition held;
    Watermarks after;
  } named_;  // By the latest of discards_.
  ConnectionRef connection_;
  bool connecting_ = false;
  bool reading_ = true;
  HistoryId seen_history_;  // As of the latest check, with seen_applied_.
  Watermarks seen_applied_;
  uint64_t seen_swaps_ = 0;
  uint64_t served_swaps_ = 0;  // As far as the log knows.
  uint64_t continued_ = 0;
  NodeEvents events_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_REPLICA_NODE_H_
