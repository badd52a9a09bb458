// StreamKeeper keeps a node's stream on disk through all that befalls it: the log that is written
// now, and the changes from one history to the next, each of which a crash finds done or not begun.
//
//   StreamKeeper keeper(directory, log_options);
//   keeper.Begin(recovered);                        // After Recover().
//   keeper.Continue(parent, history, at);           // A replica: the stream goes on from `at`.
//   keeper.Restart(history, at);                    // A full sync: it begins anew at `at`.
//   keeper.OnServed();                              // That is what the node shows now.
//   keeper.PutSnapshot(*log, [] { ... });           // And a snapshot of it is complete.
//   keeper.BeginHistory(id, fork, shards, kThisNode);  // A promotion.
//   keeper.BeginFollowing();                        // And its end: the records to come are
//   another's. keeper.Close();
//
// A full sync. What was there stays, and is what a restart finds, until the new stream is whole on
// disk: its log from `at` on and a snapshot at or above. The manifest's `restart` says so
// meanwhile. A sync that is given up (Continue() before OnServed()) is removed, and the log before
// it goes on where it ended. Nothing is durable() while a restart is not finished.
//
// A replica's log may end between the parts of a transaction. Frames beyond the cut stay, and count
// once the rest has come (LogBegin::beyond).
//
// A change that finds the disk full fails with ResourceExhausted, and the keeper is somewhere
// between before and after, each of which a crash finds. Ask for it again once there may be space:
// it goes on from there. Meanwhile log() is the one before, stopped or not, or null; nobody may
// append. After any other error nothing is taken any more until the node is started again.
//
// Threading: thread-safe; each change blocks on the disk, and others that ask for a change wait.
// A Log is shared with whoever still reads it; after a change it is stopped.
// Ownership: borrows the directory, which outlives it.

#ifndef TIDEMARK_WAL_STREAM_KEEPER_H_
#define TIDEMARK_WAL_STREAM_KEEPER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/log.h"
#include "wal/manifest.h"
#include "wal/positions.h"
#include "wal/recovery.h"

namespace tidemark::wal {

class StreamKeeper {
 public:
  // Who numbers the records: this node, or the primary that it follows.
  enum class Minter { kThisNode, kPrimary };

  StreamKeeper(DataDirectory& directory, Log::Options options);
  // As Close(), but it leaves no clean stop.
  ~StreamKeeper();
  StreamKeeper(const StreamKeeper&) = delete;
  StreamKeeper& operator=(const StreamKeeper&) = delete;

  // Opens the log where the recovery left it; none yet if the directory is a new replica's.
  absl::Status Begin(const Recovered& recovered);

  // --- Changes ---

  // The stream that is kept goes on from `at`, in its history or in a descendant of it: what the
  // log holds beyond `at` is void in the descendant. Returns the log that takes what follows: the
  // one before, or a new one that stands at its begin().positions.
  absl::StatusOr<std::shared_ptr<Log>> Continue(HistoryId continues, HistoryId history,
                                                const Positions& at);
  // A stream begins at `at` that does not go on from what is kept. `before` is called in each
  // restart, also if the one before was not served: the log of what the node shows is sealed, and
  // all that there is of it is still there.
  absl::StatusOr<std::shared_ptr<Log>> Restart(HistoryId history, const Positions& at,
                                               const std::function<void()>& before = nullptr);
  // The restarted stream is what the node shows: Continue() means that one from here on.
  void OnServed();
  // A history of this node's own, or of a new primary, begins where the kept one stood at `fork`;
  // all of the kept one up to there is durable when this returns, and what its log holds beyond is
  // void. With another number of shards sequences begin at 0. `fork` is empty if nothing is kept. A
  // full sync that is not served is given up.
  //   FailedPrecondition  a full sync is served and not yet whole on disk: only a snapshot is
  //                       missing. Nothing has changed.
  //   ResourceExhausted   the disk is full. Nothing has changed but that the log may have stopped:
  //                       Continue() opens it again.
  absl::Status BeginHistory(HistoryId id, const Positions& fork, int shard_count, Minter minter);
  // This node mints no more: the log goes on where it stands, all of it durable, under the same
  // history, and after any stop only a replica goes on in that. Requires: nobody appends.
  absl::Status BeginFollowing();

  // Runs `put`, which puts a complete snapshot of `log`'s stream in its place, and lets no change
  // happen meanwhile. It ends a restart that is served: what was before is forgotten and deleted.
  // Cancelled, and `put` is not run: the log is another by now.
  absl::Status PutSnapshot(const Log& log, const std::function<absl::Status()>& put);

  // Stops the log, and notes a clean stop if all of it is durable and whole. Final.
  absl::Status Close();

  // Of this log and those to come.
  void SetFsync(FsyncPolicy fsync, int64_t interval_ms);

  // --- To look at ---

  // Null before there is a stream.
  std::shared_ptr<Log> log() const;
  // A full sync is not whole on disk yet.
  bool restarting() const;
  // Only a snapshot is missing: OnServed() was called.
  bool wants_snapshot() const;
  // What no crash can take from this node; of restarting() nothing, so zeros. Empty: no stream.
  Watermarks durable() const;
  uint64_t restarts() const;  // Begun so far.
  uint64_t abandoned_restarts() const;

 private:
  // A full sync's stream.
  struct Restarted {
    std::vector<History> histories;  // As Manifest's.
    bool served = false;
    // Where the log stood that it is to replace; none if there was none.
    struct Replaced {
      HistoryId history;
      Positions end;
      Watermarks cut;
    };
    std::optional<Replaced> replaced;
  };

  // Of the stream that the log is of, oldest first; none: there is no stream.
  const std::vector<History>& Histories() const;
  // All with changing_ held.
  // Brings what a full disk has interrupted to where the next change can begin.
  absl::Status Settle();
  absl::Status StopLog();
  // The log, which may have stopped, goes on.
  absl::Status ResumeLog();
  absl::Status OpenLog(const LogBegin& begin);
  absl::Status MarkFollowing();
  absl::Status AddHistory(HistoryId id, const Positions& fork, int shard_count, Minter minter);
  // Whether the log, which is stopped, has all up to `fork`.
  absl::Status CheckFork(const Positions& fork) const;
  // Takes away what a restart has written so far, if that was not done before.
  absl::Status RemoveRestart();
  absl::Status ReopenReplaced();
  // The log of `history` goes on at `end`, of which `cut` is the newest consistent one.
  absl::Status Reopen(HistoryId history, const Positions& end, const Watermarks& cut);
  absl::Status FinishRestart();
  // Deletes files with numbers from `from` on, or below it.
  enum class Which { kFrom, kBelow };
  absl::Status RemoveFiles(const FilesFrom& from, Which which);
  absl::StatusOr<FilesFrom> NextFiles() const;
  // A change that went wrong halfway leaves a state that only a recovery knows; unless it was for
  // want of space.
  absl::Status Broke(absl::Status cause);
  absl::Status Fail(absl::Status cause);

  DataDirectory& directory_;

  std::mutex changing_;  // Held during a change; before mutex_. Guards what follows.
  absl::Status failed_;  // Final.
  std::optional<Restarted> restarted_;
  std::optional<LogBegin> due_;  // The log that could not be opened yet; log_ is null.
  bool following_due_ = false;   // BeginFollowing() was asked for.
  bool named_ = false;           // Restart() has called `before`, and is yet to be done.
  bool log_stopped_ = false;     // log_ is.

  mutable std::mutex mutex_;  // Guards what follows.
  Log::Options options_;
  std::shared_ptr<Log> log_;
  bool restarting_ = false;
  bool wants_snapshot_ = false;
  uint64_t restarts_ = 0;
  uint64_t abandoned_restarts_ = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_STREAM_KEEPER_H_
