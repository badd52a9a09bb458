// SegmentReader over a file of any bytes: the first says what kind of end is expected, the rest is
// the file, with the first item's checksum made right so that what lies behind it is reached.

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"
#include "wal/disk/simulated_disk.h"
#include "wal/segment_reader.h"

namespace {

using namespace tidemark;
using namespace tidemark::wal;

void StampHeader(std::string& file) {
  if (file.size() < kSegmentFixedBytes) return;
  const size_t bytes = LoadFixed<uint32_t>(file.data() + 8);
  if (bytes < kSegmentFixedBytes || bytes > file.size()) return;
  StoreFixed(file.data() + 12, uint32_t{0});
  StoreFixed(file.data() + 12, Crc32c({file.data(), bytes}));
  const size_t room = file.size() - bytes;
  char* frame = file.data() + bytes;
  if (room < kFrameHeaderBytes) return;
  const size_t frame_bytes = kFrameHeaderBytes + LoadFixed<uint32_t>(frame + 60);
  if (frame_bytes > room) return;
  StoreFixed(frame + 64, uint32_t{0});
  StoreFixed(frame + 64, Crc32c({frame, frame_bytes}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 4) != 0) StampHeader(file);
  const auto tail = static_cast<SegmentTail>(data[0] % 3);
  SimulatedDisk disk(1);
  disk.SetContents("/s", file);
  const auto reader = SegmentReader::Open(
      disk, "/s",
      {.directory = DirectoryId(0xd1), .number = 1, .tail = tail, .limit_bytes = file.size()});
  if (!reader.ok()) return 0;
  uint64_t before = 0;
  while (true) {
    const auto item = (*reader)->Next();
    if (!item.ok()) {
      CHECK((*reader)->Next().status() == item.status());
      return 0;
    }
    if (!item->has_value()) break;
    CHECK((*item)->offset >= before && (*item)->frame->kind() == FrameKind::kMutations);
    before = (*reader)->end_bytes();
  }
  CHECK((*reader)->end_bytes() + (*reader)->torn_bytes() <= file.size());
  CHECK(tail != SegmentTail::kSealed || (*reader)->sealed());
  return 0;
}
