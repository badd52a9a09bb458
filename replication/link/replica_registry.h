// ReplicaRegistry remembers the replicas of a primary by their node ids, connected or not: what
// each may have when it comes back, and what of the log is kept for it meanwhile.
//
//   if (auto wait_ms = registry.MustWait(node, now)) refuse;      // At its hello.
//   registry.TermsFor(node)                                       // Which rungs, what queue.
//   registry.OnConnected(...), OnPlan(...), OnAck(...), OnFeedFailed(...), OnGone(node, now)
//   registry.Tick(now);
//
// A replica that falls out of reach must not be given snapshot after snapshot in the same way. Each
// failure of its feed doubles the queue that it gets; after the last doubling it is refused for a
// while, with a text that names the settings. Once it has been fed live for a time without a break,
// all is forgiven.
//
// What a replica has acknowledged tells the archive what to keep for it. A replica that is gone is
// remembered for `away_ms`, and of those that are gone at most `max_away`; the oldest goes first.
// If the archive gave up what one lacks (its cap in bytes), it is shown as lost until it is back.
//
// Threading: the link thread. No clock, no I/O.

#ifndef TIDEMARK_REPLICATION_LINK_REPLICA_REGISTRY_H_
#define TIDEMARK_REPLICATION_LINK_REPLICA_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/link/catch_up.h"
#include "replication/link/frame_archive.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

class ReplicaRegistry {
 public:
  struct Options {
    size_t max_away = 64;
    int64_t away_ms = 3'600'000;
    int64_t keep_every_ms = 1'000;  // How often the archive is told what is acknowledged.
    int max_doublings = 3;          // Of a replica's queue.
    int64_t too_slow_wait_ms = 30'000;
    int64_t forgiven_after_ms = 30'000;  // Fed live for so long.
  };
  // Borrows `archive`; null: there is none.
  ReplicaRegistry(const Options& options, FrameArchive* archive)
      : options_(options), archive_(archive) {}

  // How long the replica has still to wait; nothing: it may be fed.
  std::optional<int64_t> MustWait(const std::string& node_id, int64_t now_ms) const;

  struct Terms {
    LastRung last = LastRung::kSnapshot;
    int queue_growth = 1;
  };
  Terms TermsFor(const std::string& node_id) const;

  void OnConnected(const std::string& node_id, const std::string& address);
  // Where its stream begins: what follows is kept for it from here on.
  void OnPlan(const std::string& node_id, const StreamPlan& plan);
  // `live_since_ms`: as ReplicaFeed's.
  void OnAck(const std::string& node_id, HistoryId history, const Watermarks& applied,
             int64_t live_since_ms, int64_t now_ms);
  // `needs_snapshot`: as ReplicaFeed's.
  void OnFeedFailed(const std::string& node_id, bool needs_snapshot, int64_t now_ms);
  // Its connection has ended, and there is no other.
  void OnGone(const std::string& node_id, int64_t now_ms);

  void Tick(int64_t now_ms);
  int64_t NextDeadlineMs() const {
    if (entries_.empty()) return std::numeric_limits<int64_t>::max();
    return kept_ms_ + options_.keep_every_ms;
  }

  // Those that are not connected, and that an archive keeps something for.
  struct Away {
    std::string node_id;
    std::string address;
    Watermarks acked;
    bool lost = false;  // The log no longer has what it lacks.
  };
  std::vector<Away> away() const;
  // How often the cap made the archive give up what a replica lacked.
  uint64_t lost_total() const { return lost_total_; }
  uint64_t refused_too_slow() const { return refused_too_slow_; }
  void CountRefused() { ++refused_too_slow_; }

 private:
  struct Entry {
    std::string address;
    int connections = 0;  // More than one while a newer replaces an older.
    int64_t gone_ms = 0;
    int failures = 0;  // Of its feed, since it was last forgiven.
    int64_t not_before_ms = 0;
    bool needs_snapshot = false;
    bool lost = false;
    HistoryId history;
    Watermarks acked;          // Empty: nothing to keep.
    bool acked_moved = false;  // Since the archive was told.
  };

  void Forget(std::map<std::string, Entry>::iterator entry);
  void ForgetOld(int64_t now_ms);

  const Options options_;
  FrameArchive* const archive_;
  std::map<std::string, Entry> entries_;
  int64_t kept_ms_ = 0;  // When the archive was last told.
  uint64_t lost_total_ = 0;
  uint64_t refused_too_slow_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_REPLICA_REGISTRY_H_
