// ExportConsumer is a consumer's end of the stream: bytes in, events and bytes out
// (docs/formats/export.md). It checks the stream, keeps the cursor and says hello; what to do with
// the changes, and when they are stored, is its owner's business.
//
//   while (true) {                                   // After a read.
//     ExportEvent event;
//     absl::StatusOr<bool> got = consumer.Next(&input, &event, now);
//     if (!got.ok()) ...                             // The stream is broken: Gather() a goodbye.
//     if (!*got) break;
//     Take(event);
//   }
//   Store(consumer.cursor());                        // With what was taken, or after it.
//   consumer.Acknowledge(now);
//
// Times are milliseconds of one monotonic clock.
//
// Threading: one thread at a time. No I/O. Used by: tools/tideexport, tests.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_CONSUMER_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_CONSUMER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/link/output_queue.h"
#include "wal/export/export_message.h"
#include "wal/export/export_source.h"

namespace tidemark::wal {

// The stream begins at the cursor; with a snapshot, its chunks come first.
struct StreamBegins {
  ExportPosition position;
  bool snapshot = false;
};
// Mutations. Those with sequences up to `skip_through` were seen before.
struct Changes {
  FrameRef frame;
  Sequence skip_through;
};
struct SnapshotChunk {
  FrameRef frame;
};
struct SnapshotComplete {
  uint64_t entries = 0;
};
struct HistoryChanged {
  ExportPosition position;
};
// What the node holds durable.
struct DurableMoved {
  ExportPosition durable;
  int64_t wall_ms = 0;
};
// The node ended it; nothing follows.
struct StreamRefused {
  wire::Refuse::Code code = wire::Refuse::CODE_UNKNOWN;
  std::string text;
  uint32_t retry_after_ms = 0;
  std::vector<LostRange> lost;
};
struct StreamEnded {
  wire::Goodbye::Code code = wire::Goodbye::CODE_UNKNOWN;
  std::string text;
  std::vector<LostRange> lost;
};
using ExportEvent = std::variant<StreamBegins, Changes, SnapshotChunk, SnapshotComplete,
                                 HistoryChanged, DurableMoved, StreamRefused, StreamEnded>;

class ExportConsumer {
 public:
  struct Options {
    std::string name;
    std::string token;
    ExportStart start;
    bool want_zstd = true;
    bool dialled = false;  // Connect mode: the node speaks first, and shows the token.
    size_t max_frame_bytes = kMaxFrameBytes;
  };
  ExportConsumer(const Options& options, int64_t now_ms);

  // Takes bytes from the front of *input until they complete an event: true, and *event is it.
  // False once *input is used up. Errors are final; a goodbye is then queued.
  //   PermissionDenied  connect mode: whoever dialled did not show the token
  //   InvalidArgument, DataLoss  what is no such stream, or a damaged one
  absl::StatusOr<bool> Next(std::string_view* input, ExportEvent* event, int64_t now_ms);

  // Everything up to cursor() is stored: tells the node.
  void Acknowledge(int64_t now_ms);
  // Tells the node that we live, if it has not heard of us for a heartbeat interval.
  void Tick(int64_t now_ms);
  // Nothing has come for as long as the node itself would wait for us: a connection whose other end
  // is gone without a word. The owner should connect anew.
  bool silent(int64_t now_ms) const { return now_ms - heard_ms_ >= silence_timeout_ms_; }
  // Takes leave.
  void Close(std::string_view text);

  // Good once the stream has begun, and any snapshot is complete.
  bool has_cursor() const { return state_ == State::kStreaming; }
  const ExportPosition& cursor() const { return cursor_; }

  // What there is to write; see OutputQueue.
  void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) const {
    output_.Gather(max_pieces, pieces);
  }
  void OnWritten(size_t bytes) { output_.Consume(bytes); }
  bool wants_write() const { return !output_.empty(); }

 private:
  enum class State { kDial, kHello, kSnapshot, kStreaming, kEnded };

  absl::Status Handle(const ExportControl& message, ExportEvent* event, bool* is_event);
  absl::Status HandleDial(const wire::Dial& dial);
  absl::Status HandleAccept(const wire::Accept& accept, ExportEvent* event);
  absl::Status HandleSnapshotEnd(const wire::SnapshotEnd& end, ExportEvent* event);
  absl::Status HandleHistory(const wire::HistoryChange& change, ExportEvent* event);
  absl::Status HandleFrame(FrameRef frame, ExportEvent* event);
  absl::Status HandleChunk(FrameRef frame, ExportEvent* event);
  void SayHello();
  void SendAck(bool positions, int64_t now_ms);
  void SayGoodbye(wire::Goodbye::Code code, std::string_view text);
  absl::Status Fail(absl::Status why);
  void Push(const ExportControl& message) { output_.Push(ExportCodec::Encode(message)); }

  const Options options_;
  State state_;
  ExportReader reader_;
  OutputQueue output_;
  ExportPosition cursor_;
  int64_t heartbeat_interval_ms_ = 1'000;
  int64_t silence_timeout_ms_ = 30'000;
  int64_t said_ms_;
  int64_t heard_ms_;
  bool ack_due_ = false;  // A heartbeat came.
  uint64_t chunks_ = 0;
  uint64_t entries_ = 0;
  absl::Status failure_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_CONSUMER_H_
