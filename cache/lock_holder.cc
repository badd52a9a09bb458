#include "cache/lock_holder.h"

#include <vector>

#include "base/key_hash.h"

namespace tidemark::cache {

LockTable::Request LocksOf(const CommandSpec& command, Args args, uint64_t key_hash) {
  const LockMode mode = command.is_write() ? LockMode::kExclusive : LockMode::kShared;
  if (command.scatter == Scatter::kAllShards) return LockTable::Request::WholeShard(mode);
  std::vector<uint64_t> hashes;
  for (int position : KeyPositions(command, args)) {
    hashes.push_back(position == command.keys.first ? key_hash
                                                    : KeyHash(args[static_cast<size_t>(position)]));
  }
  return LockTable::Request::Keys(std::move(hashes), mode);
}

}  // namespace tidemark::cache
