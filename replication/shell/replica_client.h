// ReplicaClient is a replica's link thread: it connects to the primary, follows its stream with
// ReplicaLink, and has the shards apply it in steps that the Applier decides.
//
// Threading: thread-safe, except Start and Stop, which one thread calls, and FreeSome(). Callbacks
// come on the link thread.

#ifndef TIDEMARK_REPLICATION_SHELL_REPLICA_CLIENT_H_
#define TIDEMARK_REPLICATION_SHELL_REPLICA_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "cache/keyspace.h"
#include "replication/apply/applier.h"
#include "replication/link/relay_backlog.h"
#include "replication/link/replica_link.h"
#include "replication/link/stream_relay.h"
#include "replication/shard_relay.h"
#include "replication/shell/served_board.h"
#include "replication/shell/shard_calls.h"
#include "replication/stream_log.h"

namespace tidemark::replication {

class ReplicaClient {
 public:
  struct Options {
    std::string primary_host;  // A name or an address.
    uint16_t primary_port = 0;
    ReplicaLink::Options link;
    Applier::Options applier;       // own_shards is set from the keyspaces.
    ServedBoard* served = nullptr;  // Borrowed; is shown how far what is served has come.
    // Of the newest frames, for those who follow this node once it is promoted; 0: none are kept.
    size_t relay_bytes = 0;
    // A replica that serves replicas: what each shard hands on, and who is told of the stream. Both
    // borrowed. Null, and empty: nobody can follow this node while it is a replica.
    StreamRelay* relay = nullptr;
    std::vector<ShardRelay*> shard_relays = {};
    std::vector<StreamTail> relay_tail = {};  // Of Options::applier.start: may be empty.
    // What is at primary_host:primary_port may be the port of the primary's clients: ask there
    // which port is for replicas. See PrimaryLocator.
    bool locate_primary = false;
    // On the link thread; see ReplicaLink::TakePromotionOrder and TakeNewPrimary. The former is
    // answered with Finish() or RefusePromotion().
    std::function<void()> on_promotion_order = {};
    std::function<void(std::string host, uint16_t port)> on_new_primary = {};
  };
  // `keyspaces`: of this node's shards, each used on its own thread by `calls`. All outlive the
  // shards' threads, and so does this object: steps under way at Stop() run to their end.
  ReplicaClient(const Options& options, std::vector<cache::Keyspace*> keyspaces, ShardCalls calls);
  ~ReplicaClient();  // Stops.

  // What the shards hold already, recovered from a log of this node's own, and that log, which is
  // borrowed and gets the stream that comes. Before Start(). See Applier::Begin().
  void Begin(const ReplicaPosition& start, Watermarks held, std::vector<uint64_t> keys,
             std::vector<Ancestor> ancestors, StreamLog* log);
  // As Begin(), where Options::applier says what the shards hold, which is what the log has.
  void KeepIn(StreamLog* log);

  // `on_synced` is called once, when what is served is the primary's for the first time; or, if
  // Begin() gave something to show, once the primary has answered or cannot be reached.
  void Start(absl::AnyInvocable<void()> on_synced);
  // Says goodbye and ends the thread. Idempotent.
  void Stop();

  // Where the stream ended, for a node that takes another role.
  struct Ending {
    ReplicaPosition position;         // Exactly what the shards hold. History 0: nothing.
    std::vector<Ancestor> ancestors;  // Of its history.
    Watermarks emitted;               // By the primary, as far as this end has heard.
    std::vector<StreamTail> tail;     // The newest frames, by shard; empty: none are kept.
    std::vector<uint64_t> keys;       // By own shard.
    bool whole = true;  // False: a step failed, the shards hold what no position describes.
  };
  // Says goodbye, has all that has come applied as far as it is whole, and stops. Waits for that:
  // for at most what is pending, which is bounded. Requires: Start() was called, the shards run;
  // not from their threads, nor from the link's.
  Ending Finish(wire::Goodbye::Code code);
  // Says so to the primary, and goes on following it.
  void RefusePromotion(std::string why);

  // Shown to the primary from the next connection on.
  void SetToken(std::string token);

  // Frees some of what a snapshot's swap left behind; true while there is more. On the shard's
  // thread, from its background slices.
  bool FreeSome(ShardId shard, size_t max_entries);
  // The shard stops, or follows somebody else. On its thread, after Stop() or Finish().
  void LeaveShard(ShardId shard);

  // Runs `each` on every shard's thread at one cut of the keyspace that no step is half through,
  // then `done` with the history and the applied position of that cut, on the link thread. Any
  // thread.
  using Observed = absl::AnyInvocable<void(const ReplicaPosition&)>;
  void ObserveAtCut(std::function<void(ShardId)> each, Observed done);

  struct Status {
    std::string
        link_state;  // ROLE's word: "connect", "connecting", "sync", "connected", or "refused".
    bool link_up = false;
    bool sync_in_progress = false;
    HistoryId history;              // Of what is served.
    std::vector<std::string> path;  // StreamPlan::path, of the latest stream.
    Watermarks received, applied;   // By the primary's shard. `applied` is of what is served,
                                    // and what it holds: Applier::Holds().
    Watermarks primary_emitted;     // As the primary last said.
    uint64_t lag_records = 0;       // Emitted there and not applied here.
    int64_t silent_ms = -1;         // Since the last byte from the primary; -1: never heard.
    int64_t stale_ms = -1;          // Since what is served was known to be current; -1: never was.
    std::string last_failure;       // Why the last connection or attempt ended; empty: none has.
    uint64_t apply_ns = 0;          // Spent by the shards on steps, all shards together.
    ReplicaLink::Counters link;
    Applier::Counters applier;
  };
  // As of a few milliseconds ago.
  Status status() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_REPLICA_CLIENT_H_
