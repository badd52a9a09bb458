// Recover() brings back what a data directory holds: the newest valid snapshot, then the log from
// there, handed to a RecoverySink in an order that gives the state; and says where the log goes on.
//
//   auto directory = wal::DataDirectory::Open(disk, path, random_id);
//   auto recovered = wal::Recover(**directory, options, sink);
//   // An error: nothing may be served. Else open the Log at {history, positions, next_segment}.
//
// What it guarantees (docs/durability.md):
//   - every record that was durable comes back, once, in its shard's order;
//   - a transaction that spans shards comes back whole or not at all: the log ends at the largest
//     consistent cut of what is there, which may lie inside a frame;
//   - only the end of the newest segment may be torn. It is saved to lost/ and cut, with a warning.
//     Damage, a gap, a missing, repeated, swapped or foreign file is an error that names the file,
//     the offset and what to do; nothing on disk has been changed then;
//   - records of a history beyond the point where its child began are void: never handed over;
//   - a crash at any moment of it, and another recovery, give the same state.
//
// A replica's directory (RecoveryOptions::follow) is another node's log: the history goes on after
// any stop, for the replica minted none of it and asks its primary for the rest. A full sync that
// was not whole on disk is dropped, and what was there before it comes back.
//
// A snapshot that turns out damaged is passed over with a warning for the one before, as long as
// the log still reaches back to that.
//
// Threading: blocks its thread. The sink is called on that thread alone.

#ifndef TIDEMARK_WAL_RECOVERY_H_
#define TIDEMARK_WAL_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/positions.h"
#include "wal/recovery_progress.h"

namespace tidemark::wal {

class DataDirectory;
class SnapshotReader;

// Takes the state. An error of any function ends the recovery with it.
class RecoverySink {
 public:
  virtual ~RecoverySink() = default;

  // Forget all that was handed over: a snapshot was damaged, and another way is tried.
  virtual absl::Status OnReset() = 0;

  // Loads all shards of a snapshot, first of all that is handed over. A sink may read the shards'
  // files on several threads, and returns when it needs `snapshot` no more. DataLoss: the snapshot
  // is damaged; OnReset() follows. As it is, shard by shard, to OnSnapshotChunk().
  virtual absl::Status OnSnapshot(const SnapshotReader& snapshot, RecoveryProgress* progress);
  // Never after a mutation of the same source shard, and each key at most once.
  virtual absl::Status OnSnapshotChunk(FrameRef chunk) = 0;

  // Apply the records of `frame` with these sequences and no others. Frames of one source shard
  // come in its order; a frame says by its shard_count how many source shards there are.
  virtual absl::Status OnFrame(FrameRef frame, Sequence apply_from, Sequence apply_through) = 0;
  // The frames that follow come from another number of source shards: a key's earlier records come
  // from any of the old ones. A sink that applies different source shards side by side finishes
  // what it has first.
  virtual absl::Status OnTopologyChange(int shard_count) = 0;

  // All was handed over; returns when it is all in place. The recovery then changes the directory.
  virtual absl::Status OnEnd() = 0;
};

struct RecoveryOptions {
  int shard_count = 1;                    // Of the node that starts.
  int64_t now_ms = 0;                     // Wall time.
  HistoryId fresh_history = HistoryId();  // Not 0, random: for a history that begins here.
  // The node is a replica: no history begins here, and shard_count says nothing of the log.
  bool follow = false;
  // Frames in memory that wait for the rest of a transaction. Past it they are read again instead,
  // once the log's end is known.
  size_t max_window_bytes = 64 << 20;
};

// Sequences of one shard that the log holds and that do not come back.
struct DiscardedSpan {
  HistoryId history;
  ShardId shard;
  Sequence first;
  Sequence last;
};

struct Recovered {
  // Where the log goes on.
  HistoryId history;
  Positions positions;  // All zero if the shard count has changed.
  // RecoveryOptions::follow, where the log holds parts of transactions that are not whole: how far
  // it goes, and its frames beyond `positions`. The log goes on from there; a primary sends them
  // once more.
  Positions log_end;
  std::vector<FrameRef> beyond;
  // Likewise: the newest frame borders at or below `positions`, where a primary can go on.
  Positions borders;
  uint64_t next_segment = 1;  // The first number that no segment has.

  // A clean stop, and as many shards as then: the history goes on. Otherwise it is a child of the
  // last one, or the first of a new directory.
  bool same_history = false;
  bool new_directory = false;
  bool was_follower = false;     // A replica wrote last.
  bool dropped_restart = false;  // Of a full sync, which had not come to its end.
  // The histories that this one descends from, oldest first, each with the point where it was
  // left.
  struct Ancestor {
    HistoryId history;
    Positions fork;
  };
  std::vector<Ancestor> ancestors;

  uint64_t snapshot = 0;  // The number of the one loaded; 0: none.
  uint64_t segments = 0;  // Replayed, in whole or part.
  uint64_t records = 0;   // Mutations handed over.

  // What was lost, each also logged as a warning.
  uint64_t snapshots_passed_over = 0;
  uint64_t torn_bytes = 0;  // Cut from the newest segment; zeros do not count.
  std::string torn_saved_as;
  std::vector<DiscardedSpan> discarded;  // Of transactions that are not whole, and what follows.
};

absl::StatusOr<Recovered> Recover(DataDirectory& directory, const RecoveryOptions& options,
                                  RecoverySink& sink, RecoveryProgress* progress = nullptr);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_RECOVERY_H_
