// TierFront is one shard's door to the disk tier, and TierOwner what the shard's keyspace does for
// it. Neither knows the other's insides: the unit of both is a value with its key.
//
//   A demotion                                   A read of a cold key
//     front.Write({.key, .value});                 front.Read(key, location, done);
//     ... the value is written, off the thread     ... off the thread
//     owner.Written(key, ticket, location):        done(location, value):
//       the entry turns cold                         answer whoever waits
//
// The value stays in RAM until Written(), which comes only once it can be read back, so a write
// that fails loses nothing. Between Write() and Written() the entry may change: the owner remembers
// the ticket of the entry's newest write (and forgets it when the entry changes), and answers
// Written() of any other with false.
//
// Reclaim moves live values out of segments that are mostly garbage. It asks IsAt(), writes the
// value again, and says Moved(). To the owner nothing else changes.
//
// What the tier holds is a cache of cold data: the log and the replicas are the truth. A read may
// fail (damage, a disk that fails): that value alone is then out of reach until it is overwritten
// or deleted.
//
// Threading: everything on the shard's thread, but for ReadNow(). Callbacks come from the
// tier's `post` as tasks of the shard, never from within a call.
// Implementations: ShardFront (shard_front.h); tests of the engine bring fakes.

#ifndef TIDEMARK_TIER_TIER_FRONT_H_
#define TIDEMARK_TIER_TIER_FRONT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/buffer.h"
#include "base/ids.h"
#include "tier/value_location.h"

namespace tidemark::tier {

// Names one Write() of one shard: from 1, never used again. 0: none.
using WriteTicket = StrongId<struct WriteTicketTag, uint64_t>;

enum class WriteOutcome : uint8_t {
  kQueued,       // Written() or NotWritten() follows.
  kNotAdmitted,  // Its key has not asked often enough: let it live through another round in RAM.
  kBusy,         // The pace of demotions is used up, or the writer's queue is full: later.
  kFull,         // The tier has no room; reclaim is making some, if there is garbage.
  kTooLarge,     // Larger than a segment holds: it never goes to disk.
  kDown,         // The disk refuses writes at present; tried again by itself.
};

struct WriteResult {
  WriteOutcome outcome = WriteOutcome::kBusy;
  WriteTicket ticket = {};  // With kQueued.

  bool queued() const { return outcome == WriteOutcome::kQueued; }
};

// A value to write down.
struct WriteRequest {
  std::string_view key = {};
  std::string_view value = {};
  // The buffer that `value` is a part of, then shared until it is written; null: it is copied.
  BufferRef owner = {};
  // Memory is short: past the admission filter and the pace, not past the bounds. It goes out with
  // others, but at once if much is under way.
  bool urgent = false;
};

// A value as it was read: `bytes` are a part of what `owner` keeps alive.
struct ReadValue {
  BufferRef owner = {};
  std::string_view bytes = {};
};

// `location`: where the value stands now, which differs from what was asked if it moved meanwhile:
// compare the entry with this one.
//   DataLoss           the bytes there are not that value's: damaged, cut, or another key's
//   Internal, and others of wal::Disk: the disk's own
//   Cancelled          the tier was stopped
using ReadDone = std::function<void(ValueLocation location, absl::StatusOr<ReadValue> value)>;

// What the keyspace does for its front. Views die with the call.
class TierOwner {
 public:
  virtual ~TierOwner() = default;

  // What Write() took under `ticket` can be read at `location`. True: the entry stands there now.
  // False: it has changed since; the location is freed.
  virtual bool Written(std::string_view key, WriteTicket ticket, ValueLocation location) = 0;
  // It was not written; `why` is for the log only.
  virtual void NotWritten(std::string_view key, WriteTicket ticket, const absl::Status& why) = 0;

  // Whether the key's entry is cold, at exactly this location. Changes nothing, not even the
  // entry's access clock.
  virtual bool IsAt(std::string_view key, ValueLocation location) = 0;
  // The value stands at `to` as well. True: the entry was at `from` and is at `to` now; the front
  // frees `from`. False: it is elsewhere or gone; the front frees `to`. An entry that a walk still
  // has to show needs no pre-image for this: its value is the same.
  virtual bool Moved(std::string_view key, ValueLocation from, ValueLocation to) = 0;
};

// Keeps what stands at a location readable after it is freed.
using TierPin = std::shared_ptr<const void>;

class TierFront {
 public:
  virtual ~TierFront() = default;

  // Before anything else; `owner` outlives the front's last callback.
  virtual void Attach(TierOwner* owner) = 0;

  // Never blocks. Anything but kQueued took nothing.
  virtual WriteResult Write(const WriteRequest& request) = 0;

  // Reads what stands at `location`; `done` follows. Reads of one location that overlap share one
  // read of the disk. The location may be freed meanwhile. Anything but OK took nothing: `done` is
  // dropped.
  //   ResourceExhausted  too many reads are under way
  //   NotFound           the location was freed, and its segment is gone
  //   Cancelled          the tier was stopped
  virtual absl::Status Read(std::string_view key, ValueLocation location, ReadDone done) = 0;

  // The same without waiting, for what the system has in memory. nullopt: it has not got it, or
  // will not tell, or this is no time to ask; Read() then. Otherwise the value, or DataLoss, as of
  // ReadDone: `location` is where it still stands. Bounds: shard_front.h.
  virtual std::optional<absl::StatusOr<ReadValue>> ReadIfCached(std::string_view key,
                                                                ValueLocation location) = 0;

  // The same at once, on the caller's thread, which blocks on the disk and is not a shard's. Any
  // thread. Errors as of Read() and ReadDone.
  virtual absl::StatusOr<ReadValue> ReadNow(std::string_view key, ValueLocation location) = 0;

  // While the pin lives, reads of the location work though it is freed: for a walk that has still
  // to show what stood there. Its segment's file takes space meanwhile. Null: already gone.
  virtual TierPin Pin(ValueLocation location) = 0;

  // The owner holds the location no longer. Once for every location that Written() or Moved() was
  // answered true for, but the `from` of Moved(). No I/O.
  virtual void Free(ValueLocation location) = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_TIER_FRONT_H_
