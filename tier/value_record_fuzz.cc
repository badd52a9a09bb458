// DecodeRecord over any bytes, the first of which says whether the checksums are to be made right,
// so that what lies behind them is reached; what it accepts must encode to the same bytes. A
// compressed value is decompressed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"
#include "tier/value_codec.h"
#include "tier/value_record.h"

namespace {

using namespace tidemark;
using namespace tidemark::tier;

constexpr uint32_t kSegment = 3;
constexpr uint32_t kOffset = 24;

void Stamp(std::string& record) {
  if (record.size() < kRecordHeaderBytes) return;
  StoreFixed(record.data() + 4, Crc32c(std::string_view(record).substr(kRecordHeaderBytes)));
  char place[8];
  StoreFixed(StoreFixed(place, kSegment), kOffset);
  StoreFixed(record.data(),
             Crc32c({record.data() + 4, kRecordHeaderBytes - 4}, Crc32c({place, 8})));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) Stamp(bytes);
  if (bytes.size() >= kValueSegmentHeaderBytes) (void)DecodeValueSegmentHeader(bytes).ok();
  const auto record = DecodeRecord(bytes, {kSegment, kOffset, static_cast<uint32_t>(bytes.size())});
  if (!record.ok()) return 0;
  CHECK(record->header.record_bytes() == bytes.size());
  std::string again(kRecordHeaderBytes, '\0');
  EncodeRecordHeader(record->header, kSegment, kOffset, again.data());
  again.append(record->key).append(record->stored);
  CHECK(again == bytes);
  if (record->header.is_compressed() && record->header.value_bytes <= (1u << 20)) {
    ValueDecompressor decompressor;
    const auto value = decompressor.Decompress(record->stored, record->header.value_bytes);
    CHECK(!value.ok() || (*value)->size() == record->header.value_bytes);
  }
  return 0;
}
