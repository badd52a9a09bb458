// ReplicaSession is one replica as its primary sees it: the link, what feeds it, and what to show
// of both. Made and owned by PrimaryHub; the owner of the socket moves its bytes.
//
//   session.OnBytes(read, now);
//   session.Pump(now);                                       // Frames from the feed to the
//   output. session.link().Gather(...), session.OnWritten(n, now);   // OnWritten() pumps, too. if
//   (session.link().closed()) ...                         // Drop the connection, and
//   PrimaryHub::Remove().
//
// Threading: the link thread.

#ifndef TIDEMARK_REPLICATION_LINK_REPLICA_SESSION_H_
#define TIDEMARK_REPLICATION_LINK_REPLICA_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replication/link/primary_link.h"
#include "replication/link/replica_feed.h"

namespace tidemark::replication {

class PrimaryHub;

// What TIDE WATERMARKS, INFO and metrics show of a replica.
struct ReplicaStatus {
  uint64_t id = 0;
  std::string address;  // Its host, and the port of its clients.
  std::string node_id;
  // "handshake", "wait", "sync", "online", "closing", or "catchup": reading the log, or on its way
  // back to the live feed. Of one that is not connected: "away" or "lost".
  std::string_view state;
  Watermarks acked;  // Applied, as last acknowledged; empty before the stream begins.
  uint64_t lag_records = 0;
  int64_t lag_ms = 0;           // Since it was last known to hold everything; 0 if it does.
  size_t queue_bytes = 0;       // Waiting to be sent.
  size_t queue_high_bytes = 0;  // The most that has been waiting in its subscription.
};

class ReplicaSession final : private StreamSource {
 public:
  ReplicaSession(PrimaryHub* hub, uint64_t id, std::string host, int64_t now_ms);
  ~ReplicaSession() override;
  ReplicaSession(const ReplicaSession&) = delete;
  ReplicaSession& operator=(const ReplicaSession&) = delete;

  void OnBytes(std::string_view bytes, int64_t now_ms);
  void OnWritten(size_t bytes, int64_t now_ms);
  void Tick(int64_t now_ms);
  // Moves frames from the feed to the link's output, up to the hub's bound on that.
  void Pump(int64_t now_ms);
  // The next time at which Tick() has something to do.
  int64_t NextDeadlineMs() const;

  uint64_t id() const { return id_; }
  // Why it could be fed no further; see ReplicaFeed::failure().
  const absl::Status& feed_failure() const { return feed_.failure(); }
  PrimaryLink& link() { return link_; }
  const PrimaryLink& link() const { return link_; }
  ReplicaStatus Status(const Watermarks& emitted, int64_t now_ms) const;

 private:
  friend class PrimaryHub;

  // StreamSource.
  std::optional<wire::Refuse> Admit(const ReplicaIdentity& replica) override;
  void Subscribe(const ReplicaPosition& position) override;
  Watermarks Emitted() override;
  int64_t UnixMillis() override;
  int64_t BehindMs(int64_t now_ms) override;

  void AfterChange(int64_t now_ms);
  void OnAcked(int64_t now_ms);
  void OnFeedFailed(int64_t now_ms);
  void Release();

  PrimaryHub* const hub_;
  const uint64_t id_;
  const std::string host_;
  PrimaryLink link_;
  bool admitted_ = false;
  bool known_ = false;  // To the registry.
  ReplicaFeed feed_;
  std::vector<FrameRef> taken_;  // Scratch.
  uint64_t seen_acks_ = 0;
  int64_t joined_ms_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_REPLICA_SESSION_H_
