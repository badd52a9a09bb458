// LogThreads are the log threads of one simulated process: they run its wal::Logs in virtual time,
// and what a write or a sync took is told after as long as the disk takes.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time; outlives the logs that it runs.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_LOG_THREADS_H_
#define TIDEMARK_INTEGRATION_SIMULATION_LOG_THREADS_H_

#include <cstdint>
#include <map>

#include "integration/simulation/node_time.h"
#include "wal/log.h"

namespace tidemark::simulation {

class LogThreads final : public wal::LogRunner {
 public:
  // `sync_us`: how long a sync takes now; borrowed.
  LogThreads(NodeTime* time, const int64_t* sync_us) : events_(time), sync_us_(sync_us) {}

  // wal::LogRunner.
  void Wake(wal::Log* log) override;
  void OnStopped(wal::Log* log) override { threads_.erase(log); }

 private:
  struct Thread {
    uint64_t id = 0;
    int64_t due_us = -1;  // Of its next step; -1: it sleeps.
    bool busy = false;    // Within a write or a sync.
    bool woken = false;   // Meanwhile.
  };
  Thread* Find(wal::Log* log, uint64_t id);
  void StepIn(int64_t delay_us, wal::Log* log);
  void Step(wal::Log* log);
  void AfterStep(wal::Log* log, const wal::LogWriter::Step& step);

  NodeEvents events_;
  const int64_t* const sync_us_;
  uint64_t next_id_ = 1;
  std::map<wal::Log*, Thread> threads_;  // Never iterated: addresses differ from run to run.
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_LOG_THREADS_H_
