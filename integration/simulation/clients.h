// Clients write to the primary under one acknowledgement policy each, and remember what they were
// told: the history that must still be true after any fault.
//
// A client's register is one key that only it writes, to values that count up, so that a value read
// says how much of what the client wrote is there. Other keys take deletions, expiry, appends and
// transactions; what they should hold, the Ledger knows.
//
// Threading: none; a simulation runs on one thread.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_CLIENTS_H_
#define TIDEMARK_INTEGRATION_SIMULATION_CLIENTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "integration/simulation/contents.h"
#include "integration/simulation/coverage.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/primary_node.h"

namespace tidemark::simulation {

// What the nodes have lost since a write was acknowledged says which policies must have saved it.
struct Losses {
  uint64_t memory = 0;  // Nodes that no longer had what they had applied, or were not there.
  uint64_t disk = 0;    // Nodes that no longer had their disk, or were not there.
};

class Clients {
 public:
  // Borrows both.
  Clients(Ledger* ledger, Situations* situations);

  // So many commands, with values of up to `max_value_bytes`.
  void Write(PrimaryNode& primary, int64_t commands, size_t max_value_bytes, uint64_t salt);
  // Some more, to a node that is no longer the primary and does not know.
  void WriteStale(PrimaryNode& primary, int64_t commands, uint64_t salt);
  // The primary is gone: what it had not answered it never will, as far as anybody listens.
  void OnPrimaryGone();
  // What becomes of acknowledged writes from here on.
  void OnReplicaLost(const Losses& lost);
  // The primary's process is back with this: what was acknowledged from its own disk is there.
  void CheckRecovered(const Contents& contents);
  // A replica holds this and is the primary now; the old one is lost, and so were `lost` replicas.
  // What enough replicas had acknowledged is there, unless `best` is false: another may have more.
  void CheckPromoted(const Contents& contents, size_t lost, bool best);

  // Keys that are always written together: a reader sees all of one write or nothing of it.
  const std::vector<std::vector<std::string>>& pairs() const { return pairs_; }

 private:
  enum class Policy : uint8_t {
    kMemory,
    kDurable,           // On the primary's disk.
    kWait,              // WAIT 1: a replica has applied it; says nothing about promotions.
    kReplicas1,         // Held: one replica has everything up to it.
    kReplicas2,         // Held: two have.
    kDurableReplicas1,  // Held: it is on the primary's disk, and on that of one that has
                        // everything.
    kCount,
  };
  struct Register {
    std::string key;
    Policy policy = Policy::kMemory;
    uint64_t written = 0;  // The latest value.
    uint64_t acked = 0;    // The highest that may not be lost, by its policy.
    Losses acked_at = {};  // As counted then.
    uint64_t flushed = 0;  // The latest value when everything was last deleted; 0: never.
  };
  // Whether the losses since leave it one that has it, of those that a promotion may choose from.
  bool SurvivesPromotion(const Register& target) const;
  void Check(Register& target, const Contents& contents, bool must_be_there);
  void Hold(PrimaryNode& primary, Register& target, const Watermarks& reached, uint64_t value);

  void WriteRegister(PrimaryNode& primary, Register& target, size_t bytes);
  void WriteOther(PrimaryNode& primary, std::mt19937_64& random, size_t max_value_bytes);

  Ledger* const ledger_;
  Situations* const situations_;
  std::vector<Register> registers_;
  std::vector<std::vector<std::string>> pairs_;
  uint64_t next_value_ = 1;
  uint64_t unanswered_ = 0;
  uint64_t primaries_ = 0;  // That are gone.
  Losses losses_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_CLIENTS_H_
