// ExportSource is where consumers' changes come from: the log (log_export_source.h), or in tests a
// fake. It hides segments, the tail in memory, histories and snapshots behind a cursor for each
// consumer.
//
// Threading: the export thread. Calls may read the disk, and block it for as long as a block takes.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_SOURCE_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/format/frame.h"
#include "wal/export/export_position.h"

namespace tidemark::wal {

// Where a stream is to begin.
struct ExportStart {
  enum class From : uint8_t { kPosition = 1, kNow = 2, kBeginning = 3, kSnapshot = 4 };
  From from = From::kNow;
  ExportPosition position;  // With kPosition.
};

// Why a stream cannot begin, or go on.
struct ExportFault {
  enum class Kind : uint8_t {
    kBadPosition,     // Not as many sequences as the history has shards.
    kForeignHistory,  // A history that is not ours, or a position that ours never had.
    kPositionLost,    // Retention has taken what comes next: `lost`.
    kNoSnapshot,
    kUnavailable,  // The disk failed, or what is on it is damaged.
  };
  Kind kind = Kind::kUnavailable;
  std::string text;
  std::vector<LostRange> lost;
};

// What comes next in a stream.
struct CaughtUp {};      // Nothing durable is left; ask again when `durable` has moved.
struct SnapshotDone {};  // The chunks of all shards have come.
// Position reached the end of its history; from here on it is this one, of the child.
struct HistoryStart {
  ExportPosition position;
};
using ExportItem = std::variant<CaughtUp, FrameRef, SnapshotDone, HistoryStart, ExportFault>;

// One consumer's place in the source. The source outlives it.
class ExportCursor {
 public:
  virtual ~ExportCursor() = default;

  // Where the stream begins: after this. The chunks of a snapshot, if any, give the state there.
  virtual const ExportPosition& begin() const = 0;
  virtual bool has_snapshot() const = 0;

  // Frames are not compressed, whole and durable, of a shard in order, and may begin at or below
  // begin(). After a fault every call repeats it.
  virtual ExportItem Next() = 0;

  // The consumer has stored everything at or below: the log before it may go. Returns the first
  // segment that the consumer still needs.
  virtual uint64_t Acknowledge(const ExportPosition& acked) = 0;
};

using ExportOpened = std::variant<std::unique_ptr<ExportCursor>, ExportFault>;

class ExportSource {
 public:
  virtual ~ExportSource() = default;

  // What is durable now, of the node's current history.
  virtual ExportPosition Durable() = 0;

  // Keeps the log from there on for `consumer`, up to its cap, until Forget().
  virtual ExportOpened Open(const std::string& consumer, const ExportStart& start) = 0;

  // Keeps the log from `segment` on for a consumer that is not connected.
  virtual void Keep(const std::string& consumer, uint64_t segment) = 0;
  virtual void Forget(const std::string& consumer) = 0;
  // Whether the cap made the log drop what the consumer still needs.
  virtual bool Lost(const std::string& consumer) const = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_SOURCE_H_
