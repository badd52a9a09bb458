// Fork is the point at which a promoted replica leaves the history that it followed and begins its
// own: where each shard goes on, what the new history descends from, and what its old primary had
// emitted that the new one does not have.
//
// With as many shards as the old primary had, sequences go on, and whoever is at or below the fork
// continues with the new primary. With another number nothing of the old vectors has a meaning: the
// shards begin at 0, and others take a snapshot.

#ifndef TIDEMARK_SERVER_FORK_H_
#define TIDEMARK_SERVER_FORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/shard_publisher.h"
#include "replication/shell/replica_client.h"
#include "server/node_report.h"
#include "wal/positions.h"

namespace tidemark::server {

struct Fork {
  HistoryId parent;            // What was followed; 0: nothing.
  Watermarks at;               // By the old primary's shard: the last that both histories have.
  std::vector<LostSpan> lost;  // Emitted by the old primary, as last heard, and not here.
};

struct Succession {
  Fork fork;
  std::vector<replication::Ancestor> ancestors;  // Of the new history, oldest first; bounded.
  std::vector<replication::ShardPublisher::Beginning> beginnings;  // By own shard.
};

// What an earlier process's log held may end within a frame: a transaction at its end was not
// whole. The link then goes on from the frame's beginning, and where it has ended says nothing of
// the records that are there nevertheless. Makes `ending` count them: the fork is within that
// frame. `held`: what was recovered, of `history`, at this process's start.
void CountHeld(HistoryId history, const wal::Positions& held,
               replication::ReplicaClient::Ending* ending);

// `fresh`: the new history's id. `logs`: what takes its frames, by own shard; empty: nothing.
Succession Succeed(replication::ReplicaClient::Ending ending, int own_shards, HistoryId fresh,
                   const std::vector<replication::FrameLog*>& logs = {});

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_FORK_H_
