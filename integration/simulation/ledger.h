// Ledger is what the simulation knows that no node does: every frame that any primary ever sealed,
// in every history; and what each node has said that no crash will take from it. The invariants are
// questions to it.
//
// A fault that it finds is kept, the first one, and ends the scenario: fault().
//
// Threading: none; a simulation runs on one thread.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_LEDGER_H_
#define TIDEMARK_INTEGRATION_SIMULATION_LEDGER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"
#include "integration/simulation/contents.h"
#include "replication/link/stream_plan.h"
#include "server/fork.h"
#include "wal/recovery.h"

namespace tidemark::simulation {

class Ledger {
 public:
  // --- What happens on a primary, named `who` ---

  // A process has recovered this, holding `contents`. Checks that nothing that the node had said to
  // be durable, and nothing that it exported, is lost, that the contents are those of the
  // positions, and which histories may go on.
  void OnRecovered(const std::string& who, const wal::Recovered& recovered, int shard_count,
                   const Contents& contents);
  // It was a replica. Checks that its history leaves the old one exactly where the node is, holding
  // exactly that, and that what is said to be lost is no more than what was emitted beyond.
  void OnPromoted(const std::string& who, const server::Succession& succession, int shard_count,
                  const Contents& contents);
  // Sealed: checks that it continues its shard's stream, in sequence and in digest.
  void OnSealed(const FrameRef& frame);
  // A node, of any role, says that so much of the history is on its disk for good: checks that it
  // never takes that back, and that a primary has emitted it.
  void OnDurable(const std::string& who, HistoryId history, const Watermarks& durable);

  // --- What happens on a follower ---

  // A replica has recovered this, holding `contents`: checks as OnRecovered().
  void OnFollowerRecovered(const std::string& who, const wal::Recovered& recovered,
                           const Contents& contents);
  // A full sync has replaced what it serves: another stream may be what a restart finds.
  void OnStreamReplaced(const std::string& who);
  // It throws away what it `held` beyond `after`, for a stream of history `taken`: checks that all
  // that this one lacks is named.
  void OnDiscard(const std::string& who, const replication::ReplicaPosition& held,
                 const Watermarks& after, HistoryId taken);
  // The shard of which history `taken` lacks some of what is `held` up to `after`; none: whoever
  // names what is beyond names all that a full sync of `taken` throws away.
  std::optional<size_t> Unnamed(const replication::ReplicaPosition& held, const Watermarks& after,
                                HistoryId taken);
  // Its disk is gone: whatever it had may be lost.
  void OnWiped(const std::string& who) { kept_[who].replaced = true; }
  // It has this applied: checks that each is a point of the primary's stream, by digest.
  void OnApplied(const std::string& who, const replication::ReplicaPosition& position);
  // It says that it has this applied, while more is perhaps under way.
  void NoteApplied(HistoryId history, const Watermarks& applied);
  // The primary believes that a replica has this applied: somebody has.
  void OnAcked(HistoryId history, const Watermarks& applied);
  // The primary believes that this replica has it on disk: it has said so. From here on no change
  // of history may take it back.
  void OnAckedDurable(const std::string& who, HistoryId history, const Watermarks& durable);
  // A consumer was sent this frame's records up to `through`, by `from`: checks that it was durable
  // there.
  void OnExported(const std::string& from, const Frame& frame, Sequence through);

  // What a node that has applied exactly this must hold.
  Contents StateAt(HistoryId history, const Watermarks& applied);
  // Whether a primary has sealed a flush of that shard beyond `sequence`, in that history.
  bool FlushFollows(HistoryId history, ShardId shard, Sequence sequence) const;
  // Whether some replica has had this applied.
  bool EverApplied(HistoryId history, ShardId shard, Sequence sequence) const;
  Watermarks Emitted(HistoryId history) const;

  void Fail(std::string fault) {
    if (fault_.empty()) fault_ = std::move(fault);
  }
  const std::string& fault() const { return fault_; }
  HistoryId newest() const { return newest_; }
  // How many records of `history` up to `at` are not in history `other`.
  uint64_t Missing(HistoryId history, const Watermarks& at, HistoryId other);

 private:
  struct Shard {
    wal::ShardPosition begin;
    std::vector<FrameRef> frames;  // All, in order.
    Sequence applied;              // The highest that a replica ever had, in this history.

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

  // What a node's disk must still hold after any crash.
  struct Kept {
    HistoryId history;
    Watermarks durable;
    Watermarks acked;  // Of that, what the primary was told; of records that were applied.
    Watermarks exported;
    bool replaced = false;  // A full sync was served since: either stream may be found.
  };

  History* Find(HistoryId history);
  // The history, `history` or an ancestor, in which the shard's stream passes `sequence`.
  const History* Passing(HistoryId history, size_t shard, Sequence sequence) const;
  // Up to where `other` has what `history` has. Zeros if neither descends from the other.
  Watermarks Common(HistoryId history, HistoryId other);
  void Begin(HistoryId id, HistoryId parent, const wal::Positions& fork,
             const wal::Positions& begin);
  void CheckKept(const std::string& who, const wal::Recovered& recovered);
  void CheckContents(const std::string& who, HistoryId history, const wal::Positions& at,
                     const Contents& contents);

  std::map<HistoryId, History> histories_;
  std::map<std::string, Kept> kept_;  // By node.
  HistoryId newest_;
  std::string fault_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_LEDGER_H_
