// StreamReader is the obvious replica: it takes one shard's frames in the order of arrival, checks
// what a receiver must check, and keeps the state in a map. The reference of this package's tests.

#ifndef TIDEMARK_REPLICATION_STREAM_READER_H_
#define TIDEMARK_REPLICATION_STREAM_READER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/expiry.h"
#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark::replication {

// Key to value and expiry.
using KeyMap = std::map<std::string, std::pair<std::string, Expiry>>;

// Applies a frame's records to `state` and adds the keys that they name to *touched.
absl::Status ApplyRecords(const Frame& frame, KeyMap* state, std::set<std::string>* touched);

class StreamReader {
 public:
  // A reader with nothing, or one that stands at a position of a stream.
  StreamReader() = default;
  StreamReader(KeyMap state, Sequence applied, uint64_t digest)
      : state_(std::move(state)), applied_(applied), digest_(digest), synced_(true) {}

  // The primary has values on disk: an entry may come after mutations of its key.
  void AllowLateEntries() { late_entries_ = true; }
  // A snapshot, from its first chunk, replaces what there was.
  absl::Status Take(const Frame& frame);

  // Not in the middle of a snapshot, nor before the first.
  bool synced() const { return synced_; }
  const KeyMap& state() const { return state_; }
  Sequence applied() const { return applied_; }
  uint64_t digest() const { return digest_; }
  int chunks() const { return chunks_; }

 private:
  absl::Status TakeChunk(const Frame& chunk);

  KeyMap state_;
  Sequence applied_;
  uint64_t digest_ = 0;
  bool synced_ = false;
  bool late_entries_ = false;
  bool in_snapshot_ = false;
  Sequence watermark_;             // Of the snapshot.
  std::set<std::string> touched_;  // By frames since its first chunk.
  std::set<std::string> shown_;    // By its chunks.
  int chunks_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_STREAM_READER_H_
