// ExportHub is all consumers of a node: it admits them, keeps their places in the log, lets each in
// turn take from the source, and says what has been exported.
//
//   ExportSession* session = hub.Add(peer, now);   // Null: too many have not said hello.
//   hub.Pump(session, now);                        // After the session's own calls, and for all
//                                                  // when `durable` moved.
//   hub.Remove(session);                           // Once closed.
//
// Threading: one thread at a time. No I/O but the source's. Used by: ExportServer.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_HUB_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_HUB_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "wal/export/consumer_table.h"
#include "wal/export/export_session.h"
#include "wal/export/export_source.h"
#include "wal/export/export_status.h"

namespace tidemark::wal {

class ExportHub final : public ExportHost {
 public:
  struct Options {
    ExportSession::Options session;
    size_t max_consumers = 64;  // Known, connected or away.
    size_t max_waiting = 64;    // Connections that have not said hello.
    // What one consumer takes from the source before it is the next one's turn.
    size_t turn_bytes = 256 << 10;
  };
  // Borrows all; `clock` for wall time.
  ExportHub(const Options& options, ExportSource* source, const Clock* clock);

  // The contents of the file `consumers`: their places are kept from here on. DataLoss: damaged.
  absl::Status LoadConsumers(std::string_view bytes);
  // What to write to it; null: as before.
  std::optional<std::string> TakeConsumers();
  // Gives up a consumer's place. NotFound, or FailedPrecondition: it is connected.
  absl::Status Forget(const std::string& consumer);

  // For connections from now on.
  void SetTokens(LinkTokens tokens) { options_.session.tokens = std::move(tokens); }

  // `dialled`: we connected to it. Null: too many have not said hello; close the connection.
  ExportSession* Add(std::string peer, bool dialled, int64_t now_ms);
  // Requires: closed.
  void Remove(ExportSession* session);

  // One turn of the session's. True: it could take more at once.
  bool Pump(ExportSession* session, int64_t now_ms) {
    return session->Pump(options_.turn_bytes, now_ms);
  }
  void Tick(int64_t now_ms);
  int64_t NextDeadlineMs() const;

  // Nobody is admitted any more; each consumer gets what is durable and a goodbye.
  void BeginStop();
  // What those that were connected at BeginStop() were not sent, to be told at the end.
  std::vector<UnsentSpan> Unsent() const;

  // Drops the sessions, and with them all use of the source.
  void Clear() { connections_.clear(); }

  bool empty() const { return connections_.empty(); }
  ExportStatus Status() const;

 private:
  struct Connection {
    std::string peer;
    std::unique_ptr<ExportSession> session;
  };

  // ExportHost.
  std::optional<wire::Refuse> Admit(const std::string& consumer) override;
  void OnPosition(const std::string& consumer, const ExportPosition& position,
                  uint64_t segment) override;
  int64_t UnixMillis() override { return clock_->UnixMillis(); }

  const Connection* Find(std::string_view consumer) const;
  bool ForgetOneLost();
  ConsumerStatus StatusOf(const std::string& name, const ConsumerTable::Entry& entry,
                          const ExportPosition& durable) const;

  Options options_;
  ExportSource* const source_;
  const Clock* const clock_;
  ConsumerTable table_;
  std::vector<Connection> connections_;
  bool stopping_ = false;
  std::map<std::string, ConsumerCounters, std::less<>> counters_;  // Of sessions that are gone.
  ConsumerCounters forgotten_;
  // What those that left since BeginStop() were sent.
  std::map<std::string, ExportPosition> left_stopping_;
  uint64_t accepted_ = 0;
  uint64_t rejected_ = 0;
  uint64_t rejected_token_ = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_HUB_H_
