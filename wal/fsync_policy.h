// When the log makes what it wrote durable.

#ifndef TIDEMARK_WAL_FSYNC_POLICY_H_
#define TIDEMARK_WAL_FSYNC_POLICY_H_

#include <cstdint>

namespace tidemark::wal {

enum class FsyncPolicy : uint8_t {
  kAlways,    // As soon as it is written; writes that come together share one flush.
  kInterval,  // At most so many milliseconds after it was written.
  kNever,     // When a segment is sealed, when someone asks for it, and at the end.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_FSYNC_POLICY_H_
