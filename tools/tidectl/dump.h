// The records of a data directory as JSON, one object a line.
//
// Of the log: history, segment, segment_offset (of the frame), shard, sequence, sealed_at_ms, op,
// then what the record says, in the fields that a change feed has; "transaction" on the records of
// one that spans shards, not only on its marker; "void" on those beyond the end of their history,
// which no reader takes.

#ifndef TIDEMARK_TOOLS_TIDECTL_DUMP_H_
#define TIDEMARK_TOOLS_TIDECTL_DUMP_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "wal/data_directory.h"

namespace tidemark::tidectl {

struct DumpOptions {
  uint64_t from_segment = 0;
  std::optional<ShardId> shard;  // None: all.
  Sequence after;                // Of every shard.
  bool keys_only = false;
};

using WriteText = absl::FunctionRef<void(std::string_view)>;

// DataLoss: damage, after all before it was written.
absl::Status DumpLog(const wal::DataDirectory& directory, const DumpOptions& options,
                     WriteText write);
absl::Status DumpSnapshot(const wal::DataDirectory& directory, uint64_t number,
                          const DumpOptions& options, WriteText write);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_DUMP_H_
