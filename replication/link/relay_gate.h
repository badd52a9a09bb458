// RelayGate decides when a replica may hand on the stream that it follows, and when those who
// follow it must come again.
//
//   The shards must be told where the stream is (kBegin) before anybody is admitted to it, and
//   again after anything that makes it another: a snapshot, another history, another way by which
//   it comes. Nobody stays connected over such a change, so that each says hello anew and is judged
//   by its position.
//   Without a link to the primary those who are there stay, and hear from heartbeats how old what
//   they get is; nobody is admitted, so that two nodes that follow each other by mistake serve
//   nobody rather than themselves.
//
//   while ((next = gate.Next(seen)) != kNothing) do it;     // After every event of the link.
//   gate.OnBegun();                                         // When kBegin is done on every shard.
//
// Threading: the link thread.

#ifndef TIDEMARK_REPLICATION_LINK_RELAY_GATE_H_
#define TIDEMARK_REPLICATION_LINK_RELAY_GATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

class RelayGate {
 public:
  // What there is to know of the node's own link, now.
  struct Seen {
    uint64_t plans = 0;                // That it was given so far.
    const StreamPlan* plan = nullptr;  // The latest.
    bool streaming = false;            // It is connected, and no snapshot is still to come.
    bool exact = false;                // See Applier::exact().
  };
  enum class Next {
    kNothing,
    kClose,  // Nobody stays, nobody is admitted: why() is the reason.
    kHold,   // Those who are there stay, nobody is admitted: why().
    kBegin,  // Tell the shards where the stream is, at a cut. Asked for once, until OnBegun().
    kAdmit,  // Replicas are admitted to the stream of the latest plan.
  };

  // `own_shards`: of this node. Only a stream with as many can be handed on.
  explicit RelayGate(int own_shards) : own_shards_(static_cast<size_t>(own_shards)) {}

  Next Ask(const Seen& seen);
  // kBegin is done. If another plan has come meanwhile, it will be asked for again.
  void OnBegun() { state_ = state_ == State::kBeginning ? State::kHeld : State::kClosed; }

  const std::string& why() const { return why_; }

 private:
  enum class State {
    kClosed,     // The shards are in no stream that could be handed on.
    kBeginning,  // They are being told.
    kStale,      // The same, and it will be of no use: another plan has come.
    kHeld,       // They are in it, and nobody is admitted.
    kOpen,
  };
  Next Close(std::string why);

  const size_t own_shards_;
  State state_ = State::kClosed;
  uint64_t plans_ = 0;  // Of which kClose has been considered.
  HistoryId history_;   // Of the stream that the shards are in, as is the next.
  std::vector<std::string> path_;
  std::string why_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_RELAY_GATE_H_
