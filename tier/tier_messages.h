// What a shard's front and the tier's writer tell each other.
//
//   front → writer   PendingWrite            through WriterInbox
//   writer → front   WrittenBatch            posted to the shard
//   writer → front   ReclaimChunk, twice     posted: "which of these are live?", then "these have
//   moved" front → writer   the chunk, answered     by its count of answers, and a kick of the
//   inbox
//
// Ownership: a chunk is shared by the writer and by the tasks posted with it. Its items are grouped
// by shard; each shard touches its own group only, and the writer none while answers are missing.

#ifndef TIDEMARK_TIER_TIER_MESSAGES_H_
#define TIDEMARK_TIER_TIER_MESSAGES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/buffer.h"
#include "base/ids.h"
#include "tier/tier_front.h"
#include "tier/value_location.h"
#include "tier/value_record.h"

namespace tidemark::tier {

// A value that waits to be written.
struct PendingWrite {
  ShardId shard = {};
  WriteTicket ticket = {};
  BufferRef text = {};  // The key, and behind it the value if `owner` is null.
  size_t key_bytes = 0;
  BufferRef owner = {};  // Keeps `value` alive if it is not in `text`.
  std::string_view value = {};
  bool hurried = false;  // It does not wait for others to go out with.
  int64_t queued_at_ns = 0;

  std::string_view key() const { return text->view().substr(0, key_bytes); }
  size_t bytes() const { return key_bytes + value.size(); }
};

// What became of writes of one shard, all of them the same.
struct WrittenBatch {
  struct Item {
    PendingWrite write;  // Without the value, which may be gone.
    ValueLocation location = {};
  };

  absl::Status status;  // OK: each can be read at its location.
  std::vector<Item> items;
};

// Some records of the segment that is being reclaimed.
struct ReclaimChunk {
  struct Item {
    ValueLocation from = {};
    RecordHeader header = {};
    std::string_view key = {};   // Both in `bytes`.
    std::string_view body = {};  // Key and stored value.
    bool live = false;           // The shard's answer.
    ValueLocation to = {};       // Once it is written again; null: it was not.
  };
  struct Group {
    ShardId shard = {};
    std::vector<Item> items;
  };

  BufferRef bytes;
  std::vector<Group> groups;
  std::atomic<size_t> unanswered{0};
};
using ReclaimChunkRef = std::shared_ptr<ReclaimChunk>;

// A front as the writer sees it. Everything on the shard's thread.
class FrontEvents {
 public:
  virtual ~FrontEvents() = default;

  virtual void OnWritten(WrittenBatch& batch) = 0;
  // Fills in the `live` of the group's items.
  virtual void OnReclaimQuestion(ReclaimChunk::Group& group) = 0;
  // Items with a `to` stand there as well.
  virtual void OnReclaimMoved(ReclaimChunk::Group& group) = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_TIER_MESSAGES_H_
