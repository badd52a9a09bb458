#include "tier/value_reader.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "tier/value_record.h"

namespace tidemark::tier {

namespace {

// The record in `bytes`, if it is whole and of that key. Borrows `bytes`.
absl::StatusOr<ValueRecord> RecordOf(std::string_view bytes, std::string_view key,
                                     ValueLocation location) {
  absl::StatusOr<ValueRecord> record = DecodeRecord(bytes, location);
  if (record.ok() && record->key != key) {
    return absl::DataLossError(
        fmt::format("value log segment {}, record at byte {}: another key's value",
                    location.segment, location.offset));
  }
  return record;
}

// Requires: the record is in `bytes`.
absl::StatusOr<ReadValue> ValueOf(const ValueRecord& record, BufferRef bytes,
                                  ValueDecompressor& decompressor) {
  if (!record.header.is_compressed()) return ReadValue{std::move(bytes), record.stored};
  absl::StatusOr<BufferRef> value =
      decompressor.Decompress(record.stored, record.header.value_bytes);
  if (!value.ok()) return value.status();
  const std::string_view view = (*value)->view();
  return ReadValue{*std::move(value), view};
}

}  // namespace

absl::StatusOr<ReadValue> ReadValueAt(const SegmentFile& segment, std::string_view key,
                                      ValueLocation location, ValueDecompressor& decompressor) {
  CHECK(segment.number == location.segment);
  absl::StatusOr<size_t> read = size_t{0};
  BufferRef bytes = Buffer::Make(location.bytes, [&](char* out) {
    read = segment.file->ReadAt(location.offset, location.bytes, out);
  });
  if (!read.ok()) return read.status();
  const absl::StatusOr<ValueRecord> record =
      RecordOf(bytes->view().substr(0, *read), key, location);
  if (!record.ok()) return record.status();
  return ValueOf(*record, std::move(bytes), decompressor);
}

std::optional<absl::StatusOr<ReadValue>> ReadValueIfCached(const SegmentFile& segment,
                                                           std::string_view key,
                                                           ValueLocation location,
                                                           size_t max_value_bytes,
                                                           ValueDecompressor& decompressor) {
  CHECK(segment.number == location.segment);
  bool cached = false;
  BufferRef bytes = Buffer::Make(location.bytes, [&](char* out) {
    cached = segment.file->ReadAtIfCached(location.offset, location.bytes, out);
  });
  if (!cached) return std::nullopt;
  const absl::StatusOr<ValueRecord> record = RecordOf(bytes->view(), key, location);
  if (!record.ok()) return record.status();
  if (record->header.value_bytes > max_value_bytes) return std::nullopt;
  return ValueOf(*record, std::move(bytes), decompressor);
}

}  // namespace tidemark::tier
