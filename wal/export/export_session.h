// ExportSession is the node's end of the stream to one consumer: bytes in, bytes out. It knows the
// protocol (docs/formats/export.md) and nothing of sockets or threads, so any byte stream may carry
// it.
//
//   session.OnBytes(read, now);                      // After a read.
//   session.Pump(budget, now);                       // When `durable` moved, or output was
//   written. session.Gather(...), session.OnWritten(n, now);  // Around a write. session.Tick(now);
//   // At NextDeadlineMs(), or a little later. if (session.closed()) ...                        //
//   After any of them: drop the connection.
//
// What waits to be written is bounded: Pump() takes nothing from the source while it is above
// max_queue_bytes. A consumer that does not read costs that much, and the log on disk.
//
// Times are milliseconds of one monotonic clock.
//
// Threading: one thread at a time. Used by: ExportHub.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_SESSION_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/link/link_tokens.h"
#include "base/link/output_queue.h"
#include "wal/export/export_message.h"
#include "wal/export/export_source.h"
#include "wal/export/sent_marks.h"

namespace tidemark::wal {

// What a session asks of its hub. Calls come from within the session's own calls.
class ExportHost {
 public:
  virtual ~ExportHost() = default;

  // A consumer has shown a good token and a whole Hello. Null admits it.
  virtual std::optional<wire::Refuse> Admit(const std::string& consumer) = 0;
  // It was accepted at this position (without sequences: it gets a snapshot first), or has
  // acknowledged it, and needs the log from `segment` on.
  virtual void OnPosition(const std::string& consumer, const ExportPosition& position,
                          uint64_t segment) = 0;
  // Wall time, for a heartbeat.
  virtual int64_t UnixMillis() = 0;
};

class ExportSession {
 public:
  struct Options {
    LinkTokens tokens;
    bool dialled = false;  // Connect mode: we speak first.
    int64_t hello_timeout_ms = 1'000;
    int64_t heartbeat_interval_ms = 1'000;
    int64_t silence_timeout_ms = 30'000;
    int64_t write_timeout_ms = 10'000;  // Without a byte of progress.
    size_t max_queue_bytes = 4 << 20;
  };

  enum class State {
    kHello,      // Waiting for it.
    kSnapshot,   // Accepted; the snapshot's end is still to be queued.
    kStreaming,  // Accepted; frames of mutations.
    kClosing,    // The last message is queued; closed once it is written.
    kClosed,
  };

  // `host` and `source` are borrowed and outlive the session.
  ExportSession(const Options& options, ExportHost* host, ExportSource* source, int64_t now_ms);

  void OnBytes(std::string_view bytes, int64_t now_ms);
  // Queues what the source has, up to the queue's bound and about `budget_bytes` of it. True: the
  // budget was all that stopped it.
  bool Pump(size_t budget_bytes, int64_t now_ms);
  void Tick(int64_t now_ms);
  // Sends what is durable, then says goodbye.
  void BeginDrain() { draining_ = true; }
  // Queues a Goodbye behind what is queued already; the session closes once all is written.
  void Close(wire::Goodbye::Code code, std::string_view text,
             const std::vector<LostRange>& lost = {});
  // The connection is gone.
  void OnDisconnected(const absl::Status& why);

  // What there is to write; see OutputQueue.
  void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) const {
    output_.Gather(max_pieces, pieces);
  }
  void OnWritten(size_t bytes, int64_t now_ms);
  size_t output_bytes() const { return output_.bytes(); }

  State state() const { return state_; }
  bool closed() const { return state_ == State::kClosed; }
  bool streaming() const { return state_ == State::kSnapshot || state_ == State::kStreaming; }
  bool accepted() const { return cursor_ != nullptr; }
  // Why it is closing or closed, for the log.
  const absl::Status& cause() const { return cause_; }
  // How it was refused or took its leave; 0: it did not.
  wire::Refuse::Code refusal() const { return refusal_; }
  uint32_t retry_after_ms() const { return retry_after_ms_; }
  wire::Goodbye::Code goodbye() const { return goodbye_; }
  bool timed_out_writing() const { return timed_out_writing_; }
  // The next time at which Tick() has something to do.
  int64_t NextDeadlineMs() const;

  const std::string& consumer() const { return consumer_; }  // Good once accepted, as below.
  // What was written to the connection; while the snapshot is under way, where it begins.
  const ExportPosition& exported() const { return marks_.written(); }
  // Without sequences until a snapshot is acknowledged.
  const ExportPosition& acked() const { return acked_; }
  uint64_t acks() const { return acks_; }
  bool snapshot_written() const { return marks_.snapshot_written(); }

  struct Counters {
    uint64_t frames = 0;  // Of mutations and chunks, as of now queued.
    uint64_t records = 0;
    uint64_t bytes = 0;  // As they travel.
    uint64_t chunks = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  void Handle(const ExportControl& message, int64_t now_ms);
  void HandleHello(const wire::Hello& hello, int64_t now_ms);
  void Begin(const wire::Hello& hello, int64_t now_ms);
  void HandleAck(const wire::Ack& ack);
  bool Continues(const Frame& frame) const;
  size_t Queue(FrameRef frame);
  void QueueSnapshotEnd();
  void QueueHistory(const HistoryStart& start);
  void QueueHeartbeat(int64_t now_ms);
  void OnFault(const ExportFault& fault);
  void Refuse(wire::Refuse::Code code, std::string_view text, uint32_t retry_after_ms,
              const std::vector<LostRange>& lost = {});
  void BeginClosing(absl::Status cause);
  void Push(const ExportControl& message) { output_.Push(ExportCodec::Encode(message)); }

  const Options options_;
  ExportHost* const host_;
  ExportSource* const source_;
  State state_ = State::kHello;
  bool draining_ = false;
  bool timed_out_writing_ = false;
  wire::Refuse::Code refusal_ = wire::Refuse::CODE_UNKNOWN;
  uint32_t retry_after_ms_ = 0;
  wire::Goodbye::Code goodbye_ = wire::Goodbye::CODE_UNKNOWN;
  absl::Status cause_;
  ExportReader reader_;
  OutputQueue output_;

  std::string consumer_;
  bool wants_zstd_ = false;
  std::unique_ptr<ExportCursor> cursor_;
  ExportPosition queued_;  // What was put into output_, and the least that the next ack may say.
  Watermarks ack_floor_;
  ExportPosition acked_;
  std::vector<HistoryId> left_;  // Histories before queued_.history that this stream was in.
  SentMarks marks_;

  const int64_t opened_ms_;
  int64_t last_heard_ms_;
  int64_t write_progress_ms_;
  int64_t heartbeat_ms_ = 0;  // When the last was queued.
  uint64_t acks_ = 0;
  uint64_t snapshot_chunks_ = 0;
  uint64_t snapshot_entries_ = 0;
  Counters counters_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_SESSION_H_
