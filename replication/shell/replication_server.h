// ReplicationServer is a primary's link thread: it listens for replicas and serves each with
// PrimaryHub.
//
// Replicas that fell behind its memory are fed from a BlockingArchive, the log on disk, which is
// read on a second thread.
//
// A replica that serves replicas has one, too (PrimaryHub::Options::relays): the StreamRelay part
// says from when on, and of what stream.
//
// It reaches the shards through ShardCalls only, and they reach it through their subscribers. A
// replica's frames leave in gathered writes; under load at most one round of writes starts each
// `gather_us`, so that a link thread that shares a core with a shard takes many turns' frames at
// once.
//
// Threading: thread-safe, except Start and Stop, which one thread calls. Callbacks come on the link
// thread.

#ifndef TIDEMARK_REPLICATION_SHELL_REPLICATION_SERVER_H_
#define TIDEMARK_REPLICATION_SHELL_REPLICATION_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "replication/link/primary_hub.h"
#include "replication/link/stream_relay.h"
#include "replication/shell/blocking_archive.h"
#include "replication/shell/shard_calls.h"

namespace tidemark::replication {

class ReplicationServer final : public StreamRelay {
 public:
  struct Options {
    std::string address = "127.0.0.1";  // Numeric.
    uint16_t port = 0;                  // 0: the kernel chooses.
    HistoryId history;
    std::vector<Ancestor> ancestors = {};  // Of `history`, oldest first: see ShardAccess::Knows.
    PrimaryHub::Options hub;
    int64_t gather_us = 200;          // 0: write whenever woken.
    int64_t stop_timeout_ms = 2'000;  // For replicas to get what is emitted, and the goodbye.
  };
  // `shards` are reached on their own threads by `calls`. Those threads run while Stop() does, and
  // have ended before this object is destroyed: a shard may be about to wake it. `archive`, null if
  // there is none, is borrowed; it is used until the end of Stop().
  ReplicationServer(const Options& options, std::vector<PublishingShard> shards, ShardCalls calls,
                    BlockingArchive* archive = nullptr);
  ~ReplicationServer() override;  // Stops.

  // Binds, and starts the thread. Unavailable: the port cannot be had, and why.
  absl::Status Start();
  // Seals and sends what is due, says goodbye, and ends the thread; at most stop_timeout_ms.
  // Idempotent.
  // With the new primary's address replicas follow it by themselves.
  void Stop(std::optional<PrimaryHub::NewPrimary> moved = std::nullopt);

  // Asks a replica (by ReplicaStatus::id) to become the primary; see PrimaryHub::Promote. Dropped
  // at Stop().
  void Promote(uint64_t replica, bool force, PrimaryHub::PromotionCallback callback);

  uint16_t port() const;  // After Start().

  // Connections that come from now on are admitted by these; those that are there stay.
  void SetTokens(LinkTokens tokens);

  // Calls back with the number of replicas that have applied `target`, or have it on disk (0 in a
  // shard: nothing to wait for), once that is at least `replicas`, or after `timeout_ms` (0: never
  // give up); with PrimaryHub::kStopped if Stop() begins first.
  void WaitFor(Watermarks target, int replicas, int64_t timeout_ms,
               absl::AnyInvocable<void(int covering)> callback, AckKind kind = AckKind::kApplied);

  // StreamRelay.
  void Open(RelayedStream stream) override;
  void Hold(std::string why) override;
  void Close(std::string why) override;
  void OnUpstream(Watermarks emitted, int64_t as_of_ms) override;

  struct Status {
    std::vector<ReplicaStatus> replicas;
    Watermarks acked;  // What every replica whose stream runs has applied; empty: there is none.
    std::vector<ReplicaRegistry::Away> away;  // Known, and not connected.
    PrimaryLink::Counters sent;
    FeedCounters feeds;
    uint64_t positions_lost = 0;  // What a replica lacked, the archive gave up.
    uint64_t refused_too_slow = 0;
    FrameCompressor::Stats compression;
    uint64_t refused = 0;  // Connections closed before a stream began.
  };
  // As of a few milliseconds ago.
  Status status() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_REPLICATION_SERVER_H_
