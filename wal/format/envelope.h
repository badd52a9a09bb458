// An envelope holds one serialized message in a small file of its own: what it is, how long, and a
// checksum. Layout: docs/formats/segment.md, "Envelope". No I/O.

#ifndef TIDEMARK_WAL_FORMAT_ENVELOPE_H_
#define TIDEMARK_WAL_FORMAT_ENVELOPE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tidemark::wal {

// What a file is; its first four bytes. A file that was put in another's place is noticed.
enum class EnvelopeKind : uint32_t {
  kManifest = 0x444d4454,          // "TDMD" as bytes: the data directory's MANIFEST.
  kSnapshotManifest = 0x4e4d4454,  // "TDMN": a snapshot's MANIFEST.
  kConsumers = 0x434d4454,         // "TDMC": the positions of the log's consumers.
};

inline constexpr uint8_t kEnvelopeVersion = 1;
inline constexpr size_t kEnvelopeBytes = 16;  // Before the message.
// Beyond what any of these files needs; a reader takes no more.
inline constexpr size_t kMaxEnvelopeFileBytes = size_t{16} << 20;

// Requires: the result is within kMaxEnvelopeFileBytes.
std::string Seal(EnvelopeKind kind, std::string_view message);

// The message within `file`; a view into it.
//   InvalidArgument  a version that this reader does not know
//   DataLoss         not of that kind, damaged or cut
absl::StatusOr<std::string_view> Unseal(EnvelopeKind kind, std::string_view file);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_FORMAT_ENVELOPE_H_
