// LockHolder is a command, or a part of one, that waits for locks of a shard and is told when it
// has them.

#ifndef TIDEMARK_CACHE_LOCK_HOLDER_H_
#define TIDEMARK_CACHE_LOCK_HOLDER_H_

#include <cstdint>
#include <utility>

#include "cache/command.h"
#include "cache/lock_table.h"

namespace tidemark::cache {

class Shard;

class LockHolder : public LockTable::Request {
 public:
  explicit LockHolder(LockTable::Request locks) : LockTable::Request(std::move(locks)) {}
  virtual ~LockHolder() = default;
  // On the shard's thread, once. Releases now or later.
  virtual void OnGranted(Shard& shard) = 0;
};

// What an ordinary command, all of whose keys are on one shard, needs there. `key_hash` is that of
// its first key.
LockTable::Request LocksOf(const CommandSpec& command, Args args, uint64_t key_hash);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_LOCK_HOLDER_H_
