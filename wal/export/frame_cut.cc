#include "wal/export/frame_cut.h"

#include <cstring>

#include "base/check.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"

namespace tidemark::wal {

absl::StatusOr<FrameRef> CutFrame(const Frame& frame, Sequence through, uint64_t digest) {
  CHECK(frame.first_sequence() <= through && through < frame.last_sequence());
  RecordReader reader(frame);
  Record record;
  bool has_transactions = false;
  for (Sequence at = frame.first_sequence(); at <= through; at = Next(at)) {
    const absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return got.status();
    CHECK(*got);  // There are as many records as sequences.
    has_transactions |= record.op == RecordOp::kTransaction;
  }
  OpenFrame open;
  char* p = open.Reserve(reader.offset());
  std::memcpy(p, frame.payload().data(), reader.offset());
  open.Commit(p + reader.offset());
  FrameHeader header = frame.header();
  header.flags = has_transactions ? kFrameTransactions : uint16_t{0};
  header.record_count = static_cast<uint32_t>(through.value() - frame.first_sequence().value() + 1);
  header.last_sequence = through;
  header.stream_digest = digest;
  return open.Seal(header);
}

}  // namespace tidemark::wal
