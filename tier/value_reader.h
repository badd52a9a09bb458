// ReadValueAt reads one value from a segment and proves that it is the one asked for.
//
// Threading: any thread, with a decompressor of its own. Blocks on the disk.

#ifndef TIDEMARK_TIER_VALUE_READER_H_
#define TIDEMARK_TIER_VALUE_READER_H_

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

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_VALUE_READER_H_
