// FollowedStream brings the stream that a replica follows to its log: on one side the link thread,
// which must never wait, on the other wal::StreamKeeper, whose changes wait for the disk.
//
//   FollowedStream stream(keeper);    // After the recovery; it goes on from the keeper's log.
//   client.Begin(..., &stream);
//   ...
//   client.Stop();
//   stream.Stop();
//
// A plan is handed to a thread of this object's own. Frames that come before the log is ready for
// them wait here, and the link reads no more meanwhile, so they are as many as one read brought.
//
// A log that fails ends the keeping, not the following: the replica serves and applies on, its
// durable stands still, and says why (failure()). A disk that is full only delays a plan, as it
// delays the log: it is tried again every kRetryMs until there is space or this object ends; the
// link reads nothing meanwhile, as what it read could not be kept (waiting()).
//
// Threading: the StreamLog part and frames: the link thread. The rest: any, except what says
// otherwise.
// Ownership: borrows the keeper, which outlives it.

#ifndef TIDEMARK_SERVER_FOLLOWED_STREAM_H_
#define TIDEMARK_SERVER_FOLLOWED_STREAM_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "replication/stream_log.h"
#include "wal/log.h"
#include "wal/stream_keeper.h"

namespace tidemark::server {

// What a replica that holds `held` throws away when it takes the plan's snapshot: all beyond these
// sequences, of which the primary's stream has nothing. None: nothing that the primary lacks, as
// far as the two tell.
std::optional<Watermarks> DiscardedAfter(const replication::ReplicaPosition& held,
                                         const replication::StreamPlan& plan);

class FollowedStream final : public replication::StreamLog {
 public:
  // Runs what blocks, later and in order, not from within the call. The simulation's, in place of
  // this object's own thread.
  using Post = std::function<void(std::function<void()>)>;
  explicit FollowedStream(wal::StreamKeeper& keeper, Post post = nullptr);
  // As Stop().
  ~FollowedStream() override;
  FollowedStream(const FollowedStream&) = delete;
  FollowedStream& operator=(const FollowedStream&) = delete;

  // A full sync throws away what `held` has beyond `after`: called on this object's thread while
  // the log still has it. A full sync that is begun again is told again only if it throws away
  // more. Before the first plan.
  using OnDiscard =
      std::function<void(const replication::ReplicaPosition& held, const Watermarks& after)>;
  void set_on_discard(OnDiscard on_discard) { on_discard_ = std::move(on_discard); }

  // Takes nothing more, and ends the thread; what was appended is the log's. The link thread has
  // ended. Idempotent.
  void Stop();
  // As Stop(), but a plan under way is carried out first, unless the disk is full, and the log has
  // been handed all that came. Not OK: nothing is kept any more, and why.
  absl::Status Finish();
  // Something of the log has changed that only the link thread acts on. Must not block.
  void Wake();
  // Why nothing is kept any more; empty while the stream is kept.
  std::string failure() const;
  // What a plan waits for that was tried and found the disk full; empty: nothing.
  std::string waiting() const;
  uint64_t delayed_plans() const { return delayed_plans_.load(std::memory_order_relaxed); }

  static constexpr int64_t kRetryMs = 100;

  // --- replication::StreamLog ---
  void set_on_change(std::function<void()> on_change) override;
  bool busy() const override { return taking_over_; }
  bool wants_input() const override { return !taking_over_ && !paused_; }
  void OnPlan(const replication::StreamPlan& plan,
              const replication::ReplicaPosition& held) override;
  void Append(FrameRef frame) override;
  void OnServed() override;
  void OnTurnEnd() override;
  Watermarks Durable() const override;

 private:
  using Outcome = absl::StatusOr<std::shared_ptr<wal::Log>>;

  // --- The link thread ---
  void TakeOutcome();
  void UseLog(std::shared_ptr<wal::Log> log);
  void LeaveLog();
  void AppendNow(FrameRef frame);
  void PauseIfFull();

  void Enqueue(std::function<void()> job);

  // --- This object's thread ---
  void Run();
  void CarryOut(const replication::StreamPlan& plan, const replication::ReplicaPosition& held);
  Outcome TakeOver(const replication::StreamPlan& plan, const replication::ReplicaPosition& held);
  // Waits until a plan is to be tried again; false: it is not.
  bool AwaitRetry(const absl::Status& why);
  void NoteFailure(const absl::Status& why);
  void NameDiscarded(const replication::ReplicaPosition& held, const replication::StreamPlan& plan);

  // What on_discard_ was told last. This object's thread's.
  struct Named {
    replication::ReplicaPosition held;
    Watermarks after;
  };

  wal::StreamKeeper& keeper_;
  const Post post_;  // Null: thread_ runs the jobs.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // For what was posted.
  OnDiscard on_discard_;

  // The link thread's.
  std::shared_ptr<wal::Log> log_;  // Null: there is none, or it has failed.
  uint64_t listener_ = 0;          // Of log_.
  Watermarks appended_;            // What log_ was given.
  bool taking_over_ = false;
  bool ignoring_ = false;  // The plan, which the applier refuses.
  bool paused_ = false;
  std::vector<FrameRef> waiting_;  // For the log of the plan.
  size_t shards_ = 0;              // Of the latest plan.

  std::optional<Named> named_;

  std::atomic<uint64_t> delayed_plans_{0};
  std::atomic<bool> told_{false};  // on_change_ was called since the link thread looked.

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable posted_;
  std::function<void()> on_change_ = [] {};
  std::deque<std::function<void()>> jobs_;
  std::optional<Outcome> outcome_;
  std::string failure_;
  std::string waits_for_;  // See waiting().
  bool stopping_ = false;
  bool finishing_ = false;

  std::thread thread_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_FOLLOWED_STREAM_H_
