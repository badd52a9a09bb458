// RecoveryFeed carries frames from the threads that read them to the shards' threads, which apply
// them: a bounded number of bytes is under way, and whoever would exceed it waits.
//
//   RecoveryFeed feed(engine, max_bytes_in_flight);
//   RecoveryFeed::Lane lane(feed);            // One for each reading thread.
//   lane.Send(frame, from, through);          // In the order in which it must be applied.
//   lane.Flush();  feed.WaitUntilApplied();
//
// A frame goes to the shard that has its number if there are as many shards here as there;
// otherwise to all, and each takes its own keys. Frames of one lane reach a shard in their order.
// Where memory is limited and a disk tier takes what is beyond, bytes count as under way until the
// tier keeps up (Shard::PaceApply()).
//
// Threading: thread-safe; a Lane belongs to one thread. No call from a shard's thread.

#ifndef TIDEMARK_SERVER_RECOVERY_FEED_H_
#define TIDEMARK_SERVER_RECOVERY_FEED_H_

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "cache/engine.h"
#include "server/shard_replay.h"

namespace tidemark::server {

class RecoveryFeed {
 public:
  // Borrows `engine`, which runs as long as anything is under way.
  RecoveryFeed(cache::Engine& engine, size_t max_bytes_in_flight);
  // Requires: nothing is under way.
  ~RecoveryFeed();

  class Lane {
   public:
    explicit Lane(RecoveryFeed& feed);
    // Waits while too much is under way. An error is the first that any shard met: the feed is then
    // of no further use.
    absl::Status Send(FrameRef frame, Sequence from, Sequence through);
    // Sends on what was collected.
    absl::Status Flush();

   private:
    friend class RecoveryFeed;
    struct Item {
      FrameRef frame;
      Sequence from;
      Sequence through;
    };
    struct Batch {
      std::vector<Item> items;
      size_t bytes = 0;
    };
    absl::Status Add(size_t shard, FrameRef frame, Sequence from, Sequence through);
    absl::Status Post(size_t shard);

    RecoveryFeed& feed_;
    std::vector<Batch> open_;  // By shard.
  };

  // Until everything that was sent is applied.
  absl::Status WaitUntilApplied();
  // Runs `each` on every shard's thread, after what was sent before, and waits.
  void RunOnShards(const std::function<void(cache::Shard&)>& each);

 private:
  absl::Status TakeRoom(size_t bytes);
  void Applied(size_t bytes, const absl::Status& status);

  cache::Engine& engine_;
  const size_t max_bytes_in_flight_;
  std::vector<std::unique_ptr<ShardReplay>> replays_;  // By shard; used on its thread.

  std::mutex mutex_;
  std::condition_variable applied_;
  size_t bytes_in_flight_ = 0;  // Guarded by mutex_, as is:
  absl::Status failure_;        // The first.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_RECOVERY_FEED_H_
