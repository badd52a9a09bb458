// ShardDoor is a primary's shard's way to its log, which shows the ledger each frame that is
// sealed.
//
// Threading: none; a simulation runs on one thread. Borrows both.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_SHARD_DOOR_H_
#define TIDEMARK_INTEGRATION_SIMULATION_SHARD_DOOR_H_

#include <utility>

#include "integration/simulation/ledger.h"
#include "replication/frame_log.h"
#include "wal/shard_log.h"

namespace tidemark::simulation {

class ShardDoor final : public replication::FrameLog {
 public:
  ShardDoor(Ledger* ledger, wal::ShardLog* log) : ledger_(*ledger), log_(*log) {}

  void Append(FrameRef frame) override {
    ledger_.OnSealed(frame);
    log_.Append(std::move(frame));
  }
  void OnTurnEnd() override { log_.OnTurnEnd(); }
  void OnHole(Sequence through) override { log_.OnHole(through); }

 private:
  Ledger& ledger_;
  wal::ShardLog& log_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_SHARD_DOOR_H_
