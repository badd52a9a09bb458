// How many records a second does SegmentReader give back from a file in the system's cache,
// checked? The argument is records a frame: 512 is a busy shard's, 1 a client's that waits for each
// reply. Recovery aims at 5 million records of 100 bytes a second on one core.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <string>

#include "base/check.h"
#include "wal/disk/posix_disk.h"
#include "wal/disk/whole_file.h"
#include "wal/segment_builder.h"
#include "wal/segment_reader.h"

namespace tidemark::wal {
namespace {

void BM_Read(benchmark::State& state) {
  constexpr size_t kSegmentBytes = size_t{64} << 20;
  constexpr size_t kKeyBytes = 90;  // With the value and lengths a record of 100 bytes.
  SegmentBuilder segment({.directory = DirectoryId(1),
                          .number = 1,
                          .created_at_ms = 0,
                          .history = HistoryId(1),
                          .before = Positions(4)});
  for (uint16_t shard = 0; segment.bytes().size() < kSegmentBytes; shard = (shard + 1) % 4) {
    segment.AddSets(ShardId(shard), static_cast<uint32_t>(state.range(0)), kKeyBytes);
  }
  segment.AddFooter();
  const std::string path = "/tmp/segment_reader_bench." + std::to_string(getpid());
  CHECK(WriteFileAtomically(PosixDisk::Get(), path, segment.bytes()).ok());
  int64_t records = 0;
  for (auto _ : state) {
    auto reader =
        SegmentReader::Open(PosixDisk::Get(), path, {.directory = DirectoryId(1), .number = 1});
    CHECK(reader.ok());
    while (true) {
      auto item = (*reader)->Next();
      CHECK(item.ok());
      if (!item->has_value()) break;
      records += (*item)->frame->record_count();
    }
  }
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(segment.bytes().size()));
  CHECK(PosixDisk::Get().Remove(path).ok());
}
BENCHMARK(BM_Read)->Arg(1)->Arg(16)->Arg(512);

}  // namespace
}  // namespace tidemark::wal
