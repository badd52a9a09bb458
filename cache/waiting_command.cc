#include "cache/waiting_command.h"

#include "cache/cold_values.h"
#include "cache/shard.h"

namespace tidemark::cache {

void WaitingCommand::Try(Shard& shard) {
  shard.cold_access().set_staged(&staged_);
  const bool ran = Run(shard);
  shard.cold_access().set_staged(nullptr);
  if (!ran) {
    // What a flush, a replica's primary or an expiry changed meanwhile it meets when it tries
    // again.
    return shard.cold_values()->Fetch(shard.cold_access().TakeNeeded(), &staged_,
                                      [this, &shard] { Try(shard); });
  }
  shard.Release(this);
  Finish(shard);
}

}  // namespace tidemark::cache
