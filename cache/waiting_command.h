// WaitingCommand is a command that could not run at once: a lock was in its way, or a value that it
// needs is on disk. It holds its keys' locks while it waits for the disk, so that commands on the
// same keys keep their order, and nobody else waits.
//
// Deletes itself when it has run. Threading: confined to its shard's thread.

#ifndef TIDEMARK_CACHE_WAITING_COMMAND_H_
#define TIDEMARK_CACHE_WAITING_COMMAND_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "cache/cold_access.h"
#include "cache/lock_holder.h"

namespace tidemark::cache {

class WaitingCommand : public LockHolder {
 public:
  void OnGranted(Shard& shard) final { needed_.empty() ? Try(shard) : Fetch(shard); }

 protected:
  explicit WaitingCommand(LockTable::Request locks) : LockHolder(std::move(locks)) {}
  // One that has been called in vain, with what that left.
  WaitingCommand(LockTable::Request locks, UnfinishedCall call)
      : LockHolder(std::move(locks)),
        needed_(std::move(call.needed)),
        staged_(std::move(call.staged)) {}

  // Runs the command. False: a value that it needs is on disk, and nothing has happened.
  virtual bool Run(Shard& shard) = 0;
  // It has run, and its locks are released. The last call.
  virtual void Finish(Shard& shard) = 0;

 private:
  void Try(Shard& shard);
  void Fetch(Shard& shard);

  std::vector<NeededValue> needed_;
  StagedValues staged_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_WAITING_COMMAND_H_
