// ReadValueAt and ReadValueIfCached read one value from a segment and prove that it is the one
// asked for.
//
// Threading: any thread, with a decompressor of its own. ReadValueAt blocks on the disk, the other
// does not.

#ifndef TIDEMARK_TIER_VALUE_READER_H_
#define TIDEMARK_TIER_VALUE_READER_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "tier/segment_store.h"
#include "tier/tier_front.h"
#include "tier/value_codec.h"
#include "tier/value_location.h"

namespace tidemark::tier {

// Requires: segment.number == location.segment. One read of the disk; the value is not copied
// unless it is decompressed.
//   DataLoss  what stands there is damaged or cut, or is another key's; and the errors of wal::Disk
absl::StatusOr<ReadValue> ReadValueAt(const SegmentFile& segment, std::string_view key,
                                      ValueLocation location, ValueDecompressor& decompressor);

// The same of what is in memory. nullopt: not all of it is, or the value is longer than
// `max_value_bytes`. DataLoss as above; other errors come from ReadValueAt only.
std::optional<absl::StatusOr<ReadValue>> ReadValueIfCached(const SegmentFile& segment,
                                                           std::string_view key,
                                                           ValueLocation location,
                                                           size_t max_value_bytes,
                                                           ValueDecompressor& decompressor);

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_VALUE_READER_H_
