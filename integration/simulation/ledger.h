// Ledger is what the simulation knows that no node does: every frame that any primary ever sealed,
// in every history, and how far each was durable, sent and applied. The invariants are questions to
// it.
//
// A fault that it finds is kept, the first one, and ends the scenario: fault().
//
// Threading: none; a simulation runs on one thread.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_LEDGER_H_
#define TIDEMARK_INTEGRATION_SIMULATION_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"
#include "integration/simulation/contents.h"
#include "replication/link/stream_plan.h"
#include "wal/recovery.h"

namespace tidemark::simulation {

class Ledger {
 public:
  // --- What happens on the primary ---

  // A process has recovered this, holding `contents`; `previous` is what the one before it had
  // published as durable. Checks that nothing durable, and nothing exported, is lost, that the
  // contents are those of the positions, and which histories may go on.
  void OnRecovered(const wal::Recovered& recovered, int shard_count, const Contents& contents);
  // Sealed: checks that it continues its shard's stream, in sequence and in digest.
  void OnSealed(const FrameRef& frame);
  // Published as durable: checks that it never goes back and is never beyond what was sealed.
  void OnDurable(HistoryId history, const Watermarks& durable);

  // --- What happens on a follower ---

  // It has this applied: checks that each is a point of the primary's stream, by digest.
  void OnApplied(const std::string& who, const replication::ReplicaPosition& position);
  // It says that it has this applied, while more is perhaps under way.
  void NoteApplied(HistoryId history, const Watermarks& applied);
  // The primary believes that a replica has this applied: somebody has.
  void OnAcked(HistoryId history, const Watermarks& applied);
  // A consumer was sent this frame's records up to `through`: checks that it was durable then.
  void OnExported(const Frame& frame, Sequence through);

  // What a node that has applied exactly this must hold.
  Contents StateAt(HistoryId history, const Watermarks& applied);
  // Whether some replica has had this applied.
  bool EverApplied(HistoryId history, ShardId shard, Sequence sequence) const;
  Watermarks Emitted(HistoryId history) const;

  void Fail(std::string fault) {
    if (fault_.empty()) fault_ = std::move(fault);
  }
  const std::string& fault() const { return fault_; }
  HistoryId newest() const { return newest_; }

 private:
  struct Shard {
    wal::ShardPosition begin;
    std::vector<FrameRef> frames;  // All, in order.
    Sequence durable;
    Sequence exported;
    Sequence applied;  // The highest that a replica ever had, in this history.

    Sequence last() const {
      return frames.empty() ? begin.sequence : frames.back()->last_sequence();
    }
    uint64_t digest() const {
      return frames.empty() ? begin.digest : frames.back()->stream_digest();
    }
  };
  struct History {
    HistoryId parent;
    wal::Positions fork;  // Of the parent.
    std::vector<Shard> shards;
    Contents at_begin;  // At the beginning of all its shards.
    Contents at_end;    // After all that was sealed.
  };

  History* Find(HistoryId history);
  // The history, `history` or an ancestor, in which the shard's stream passes `sequence`.
  const History* Passing(HistoryId history, size_t shard, Sequence sequence) const;
  void CheckNothingLost(History& parent, const wal::Positions& fork);

  std::map<HistoryId, History> histories_;
  HistoryId newest_;
  std::string fault_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_LEDGER_H_
