// Any bytes, cut into pieces that their own first byte chooses, are frames or one lasting error;
// what comes out is well formed enough to be encoded again and to be read record by record.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/format/frame_decoder.h"
#include "base/format/record.h"

namespace {

void StampFirstFrame(std::string* bytes) {
  using namespace tidemark;
  FrameHeader header;
  if (bytes->size() < kFrameHeaderBytes ||
      !DecodeFrameHeader(*bytes, kMaxFrameBytes, &header).ok() ||
      bytes->size() < kFrameHeaderBytes + header.stored_bytes) {
    return;
  }
  // What is decoded is encoded to the same bytes, with the right checksum.
  EncodeFrameHeader(header, bytes->data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark;
  if (size == 0) return 0;
  const size_t piece = 1 + data[0];
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  StampFirstFrame(&bytes);
  std::string_view stream = bytes;
  FrameDecoder decoder({.max_frame_bytes = 1 << 20});
  while (!stream.empty()) {
    std::string_view input = stream.substr(0, piece);
    stream.remove_prefix(input.size());
    while (true) {
      const absl::StatusOr<FrameRef> frame = decoder.Next(&input);
      if (!frame.ok()) {
        CHECK(decoder.Next(&input).status() == frame.status());
        return 0;
      }
      if (*frame == nullptr) break;
      CHECK((*frame)->bytes().size() <= 1 << 20);
      CHECK((*DecodeFrame((*frame)->bytes()))->bytes() == (*frame)->bytes());
      RecordReader reader(**frame);
      Record record;
      absl::StatusOr<bool> more;
      do {
        more = reader.Next(&record);
      } while (more.ok() && *more);
    }
    CHECK(input.empty());
    CHECK(decoder.memory_bytes() <= 2 * size + (1 << 17));
  }
  return 0;
}
