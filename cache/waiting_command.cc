#include "cache/waiting_command.h"

#include <utility>

#include "cache/cold_values.h"
#include "cache/shard.h"

namespace tidemark::cache {

void WaitingCommand::Try(Shard& shard) {
  shard.cold_access().set_staged(&staged_);
  const bool ran = Run(shard);
  shard.cold_access().set_staged(nullptr);
  if (!ran) {
    needed_ = shard.cold_access().TakeNeeded();
    return Fetch(shard);
  }
  shard.Release(this);
  Finish(shard);
}

void WaitingCommand::Fetch(Shard& shard) {
  // What a flush, a replica's primary or an expiry changed meanwhile it meets when it tries again.
  shard.cold_values()->Fetch(std::exchange(needed_, {}), &staged_, [this, &shard] { Try(shard); });
}

}  // namespace tidemark::cache
