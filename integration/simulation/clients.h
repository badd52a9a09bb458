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

class Clients {
 public:
  // Borrows both.
  Clients(Ledger* ledger, Situations* situations);

  // So many commands, with values of up to `max_value_bytes`.
  void Write(PrimaryNode& primary, int64_t commands, size_t max_value_bytes, uint64_t salt);
  // The primary is gone: what it had not answered it never will.
  void OnPrimaryGone();
  // A primary has recovered this: every acknowledged write must be there.
  void CheckRecovered(const Contents& contents);

  // Keys that are always written together: a reader sees all of one write or nothing of it.
  const std::vector<std::vector<std::string>>& pairs() const { return pairs_; }

 private:
  enum class Policy : uint8_t { kMemory, kDurable, kReplica };
  struct Register {
    std::string key;
    Policy policy = Policy::kMemory;
    uint64_t written = 0;        // The latest value.
    uint64_t acked_durable = 0;  // The highest that may not be lost.
    uint64_t flushed = 0;        // The latest value when everything was last deleted; 0: never.
  };

  void WriteRegister(PrimaryNode& primary, Register& target, size_t bytes);
  void WriteOther(PrimaryNode& primary, std::mt19937_64& random, size_t max_value_bytes);

  Ledger* const ledger_;
  Situations* const situations_;
  std::vector<Register> registers_;
  std::vector<std::vector<std::string>> pairs_;
  uint64_t next_value_ = 1;
  uint64_t unanswered_ = 0;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_CLIENTS_H_
