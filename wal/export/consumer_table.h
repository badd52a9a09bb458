// ConsumerTable is every consumer that the node keeps a place in the log for, connected or away:
// its last acknowledged position, and from which segment on it needs the log. Kept in the file
// `consumers`, so that a consumer that is away while the node restarts loses nothing.
//
// Bounded: a name beyond `max_consumers` is refused; an operator makes room with Forget().
//
// Threading: one thread at a time. No I/O. Used by: ExportHub.

#ifndef TIDEMARK_WAL_EXPORT_CONSUMER_TABLE_H_
#define TIDEMARK_WAL_EXPORT_CONSUMER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/export/export_position.h"

namespace tidemark::wal {

class ConsumerTable {
 public:
  struct Entry {
    ExportPosition acked;  // History 0: none yet.
    uint64_t segment = 0;  // 0: none yet.
    int64_t seen_ms = 0;   // Wall time.
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  explicit ConsumerTable(size_t max_consumers) : max_consumers_(max_consumers) {}

  const Entries& entries() const { return entries_; }
  const Entry* Find(std::string_view name) const;

  // Whether there is room for `name`, or it is known.
  bool HasRoomFor(std::string_view name) const;
  // Requires: HasRoomFor(name).
  void Set(std::string_view name, Entry entry);
  // Whether it was there.
  bool Forget(std::string_view name);

  // Whether it changed since the last call.
  bool TakeDirty() { return std::exchange(dirty_, false); }

  // The contents of the file. Load() replaces all; more consumers than there is room for are kept:
  // a lowered bound must not lose a place. DataLoss: damaged.
  std::string Serialize() const;
  absl::Status Load(std::string_view bytes);

 private:
  const size_t max_consumers_;
  Entries entries_;
  bool dirty_ = false;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_CONSUMER_TABLE_H_
