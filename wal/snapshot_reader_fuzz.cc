// Any bytes, as a shard's file of a snapshot whose manifest agrees with their length and checksum,
// are read to the end or to one lasting error. The first byte says what else the manifest claims.

#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/crc32c.h"
#include "wal/disk/simulated_disk.h"
#include "wal/snapshot_reader.h"

namespace {

using namespace tidemark;
using namespace tidemark::wal;

// Gives the first frame the checksum that its bytes ask for, and says what it claims.
FrameHeader StampFirstFrame(std::string* file) {
  FrameHeader header;
  if (file->size() < kFrameHeaderBytes || !DecodeFrameHeader(*file, kMaxFrameBytes, &header).ok() ||
      file->size() - kFrameHeaderBytes < header.stored_bytes) {
    return {};
  }
  EncodeFrameHeader(header, file->data());
  return header;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  const FrameHeader first = StampFirstFrame(&file);
  const SnapshotManifest manifest{
      .directory = DirectoryId(1),
      .number = 1,
      .history = HistoryId(first.history.value() | 1),
      .first_segment = 1,
      .begun_at_ms = 0,
      .completed_at_ms = 0,
      .shards = {{.watermark = {.sequence = first.last_sequence, .digest = first.stream_digest},
                  .complete_at = first.last_sequence,
                  .keys = data[0] % 16u,
                  .chunks = 1u + data[0] / 64u,
                  .file_bytes = file.size(),
                  .file_crc32c = Crc32c(file)}}};
  SimulatedDisk disk(1);
  CHECK(disk.CreateDirectory("/s").ok());
  disk.SetContents("/s/shard-0000", file);
  // A manifest that no writer would store: opening says so.
  disk.SetContents("/s/MANIFEST", file.size() / kFrameHeaderBytes < manifest.shards[0].chunks
                                      ? std::string("none")
                                      : EncodeSnapshotManifest(manifest));
  const auto reader = SnapshotReader::Open(disk, "/s", {DirectoryId(1), 1});
  if (!reader.ok()) return 0;
  const auto shard = (*reader)->OpenShard(ShardId(0));
  CHECK(shard.ok());
  uint64_t keys = 0;
  while (true) {
    const absl::StatusOr<FrameRef> chunk = (*shard)->Next();
    if (!chunk.ok()) {
      CHECK((*shard)->Next().status() == chunk.status());
      return 0;
    }
    if (*chunk == nullptr) break;
    keys += (*chunk)->record_count();
  }
  CHECK(keys == manifest.shards[0].keys);
  return 0;
}
