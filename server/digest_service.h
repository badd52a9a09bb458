// DigestService answers "what do you hold, and as of when": a digest of every shard's contents at
// one cut of the whole keyspace, and the watermark vector of that cut.
//
// One digest is computed at a time; whoever asks meanwhile shares the next. A shard that is busy
// with another walk (a snapshot for a replica) makes the attempt void, and it is repeated at the
// next tick.
//
// Threading: thread-safe.

#ifndef TIDEMARK_SERVER_DIGEST_SERVICE_H_
#define TIDEMARK_SERVER_DIGEST_SERVICE_H_

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/ids.h"
#include "cache/content_digest.h"
#include "server/digest_walk.h"

namespace tidemark::server {

struct DigestResult {
  HistoryId history;
  Watermarks watermarks;
  std::vector<cache::ContentDigest> shards;  // By this node's own shard.
  cache::ContentDigest total;
};

class DigestService {
 public:
  // Runs `each` on every shard at one cut of the keyspace, and then, on any thread, `done` with the
  // history and the watermarks of that cut.
  using AtCut = std::function<void(std::function<void(ShardId)> each,
                                   std::function<void(HistoryId, Watermarks)> done)>;
  // Begins a digest of one shard, on its thread; see DigestWalk::Begin.
  using BeginWalk = std::function<bool(ShardId, DigestWalk::Done)>;
  using Done = std::function<void(const DigestResult&)>;

  DigestService(int shard_count, AtCut at_cut, BeginWalk begin_walk);

  // Calls `done`, on some shard's thread, with a digest of an instant after this call.
  void Request(Done done);
  // Repeats a void attempt. Call it every 100 ms or so.
  void Tick();

 private:
  struct Attempt;

  void Start(std::vector<Done> askers);
  void Finish(const std::shared_ptr<Attempt>& attempt);

  const int shard_count_;
  const AtCut at_cut_;
  const BeginWalk begin_walk_;

  std::mutex mutex_;
  bool running_ = false;       // Guarded by mutex_, as what follows.
  std::vector<Done> waiting_;  // For the next attempt.
  bool retry_ = false;         // The next attempt waits for a tick.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_DIGEST_SERVICE_H_
