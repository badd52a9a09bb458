#include "tier/value_reader.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "tier/value_record.h"

namespace tidemark::tier {

absl::StatusOr<ReadValue> ReadValueAt(const SegmentFile& segment, std::string_view key,
                                      ValueLocation location, ValueDecompressor& decompressor) {
  CHECK(segment.number == location.segment);
  absl::StatusOr<size_t> read = size_t{0};
  BufferRef bytes = Buffer::Make(location.bytes, [&](char* out) {
    read = segment.file->ReadAt(location.offset, location.bytes, out);
  });
  if (!read.ok()) return read.status();
  const absl::StatusOr<ValueRecord> record = DecodeRecord(bytes->view().substr(0, *read), location);
  if (!record.ok()) return record.status();
  if (record->key != key) {
    return absl::DataLossError(
        fmt::format("value log segment {}, record at byte {}: another key's value", segment.number,
                    location.offset));
  }
  if (!record->header.is_compressed()) return ReadValue{std::move(bytes), record->stored};
  absl::StatusOr<BufferRef> value =
      decompressor.Decompress(record->stored, record->header.value_bytes);
  if (!value.ok()) return value.status();
  const std::string_view view = (*value)->view();
  return ReadValue{*std::move(value), view};
}

}  // namespace tidemark::tier
