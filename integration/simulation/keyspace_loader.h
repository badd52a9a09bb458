// KeyspaceLoader puts what a recovery reads into a node's keyspaces, as server::RecoveryLoader does
// with threads.
//
// Threading: none; a simulation runs on one thread. Borrows the keyspaces.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_KEYSPACE_LOADER_H_
#define TIDEMARK_INTEGRATION_SIMULATION_KEYSPACE_LOADER_H_

#include <vector>

#include "cache/keyspace.h"
#include "server/shard_replay.h"
#include "wal/recovery.h"

namespace tidemark::simulation {

class KeyspaceLoader final : public wal::RecoverySink {
 public:
  explicit KeyspaceLoader(const std::vector<cache::Keyspace*>& keyspaces) : keyspaces_(keyspaces) {
    for (size_t i = 0; i < keyspaces.size(); ++i) {
      replays_.emplace_back(keyspaces[i], ShardId(static_cast<uint16_t>(i)),
                            static_cast<int>(keyspaces.size()));
    }
  }

  absl::Status OnReset() override {
    for (cache::Keyspace* keyspace : keyspaces_) keyspace->ApplyFlush();
    return absl::OkStatus();
  }
  absl::Status OnSnapshotChunk(FrameRef chunk) override {
    return Apply(*chunk, Sequence(), chunk->last_sequence());
  }
  absl::Status OnFrame(FrameRef frame, Sequence from, Sequence through) override {
    return Apply(*frame, from, through);
  }
  absl::Status OnTopologyChange(int) override { return absl::OkStatus(); }
  absl::Status OnEnd() override { return absl::OkStatus(); }

 private:
  absl::Status Apply(const Frame& frame, Sequence from, Sequence through) {
    if (frame.shard_count() == keyspaces_.size()) {
      return replays_[frame.shard().value()].Apply(frame, from, through);
    }
    for (server::ShardReplay& replay : replays_) {
      if (absl::Status s = replay.Apply(frame, from, through); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  const std::vector<cache::Keyspace*> keyspaces_;
  std::vector<server::ShardReplay> replays_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_KEYSPACE_LOADER_H_
