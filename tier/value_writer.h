// ValueWriter decides what the tier's writing thread does next: a batch of demoted values, a step
// of reclaim, files to delete. It is the core of that thread, which only runs it and waits.
//
//   while (inbox.Wait(step.wait_ns, step.enough_bytes)) step = writer.Run(clock.MonotonicNanos());
//
// Batches. Values wait until write_batch_bytes have come or the oldest has waited kLingerNanos,
// unless one is hurried; then they go out in one write (and one sync), and only when it has
// succeeded are their shards told. So what is not known to be on disk is still in RAM, and a write
// that fails costs nothing but itself.
//
// When the bound is reached demotions are refused (TierState::full) until there is room. When the
// disk refuses a write they are refused for kRetryNanos (TierState::down), and then tried again.
//
// Threading: confined to the writer's thread, which it blocks on the disk.
// Ownership: borrows all that it is given; fronts are reached through `post` alone.

#ifndef TIDEMARK_TIER_VALUE_WRITER_H_
#define TIDEMARK_TIER_VALUE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "tier/reclaimer.h"
#include "tier/segment_store.h"
#include "tier/tier_messages.h"
#include "tier/tier_state.h"
#include "tier/value_codec.h"
#include "tier/writer_inbox.h"

namespace tidemark::tier {

class ValueWriter {
 public:
  struct Options {
    size_t write_batch_bytes = size_t{256} << 10;
    bool compress = false;
    uint64_t reclaim_bytes_per_second = 0;
  };
  ValueWriter(SegmentStore& store, WriterInbox& inbox, TierState& state, PostToFront post,
              const Options& options);

  struct Step {
    int64_t wait_ns = 0;  // Until the next is due, if nothing comes; negative: none is.
    // Of values to write that must come for it to be due sooner: those that wait already have set
    // the time at which they go out.
    size_t enough_bytes = 1;
  };
  Step Run(int64_t now_ns);

  static constexpr int64_t kLingerNanos = 2'000'000;
  static constexpr int64_t kRetryNanos = 1'000'000'000;
  // How long until what only a reader's letting go makes possible is looked for again.
  static constexpr int64_t kHeldNanos = 100'000'000;

 private:
  // 0: now; negative: nothing waits.
  int64_t NanosUntilWrite(int64_t now_ns) const;
  void WriteBatch(int64_t now_ns);
  // Encodes what fits the open segment; what cannot go anywhere is refused.
  void FillBatch(int64_t now_ns);
  bool MakeRoom(uint64_t bytes, int64_t now_ns);
  void AddToBatch(PendingWrite write, const RecordHeader& header, std::string_view stored);
  void CountBatch();
  void GoDown(const absl::Status& why, int64_t now_ns);
  void RefuseAll(const absl::Status& why);
  void Tell(std::vector<WrittenBatch::Item> items, const absl::Status& status);

  SegmentStore& store_;
  WriterInbox& inbox_;
  TierState& state_;
  const PostToFront post_;
  const Options options_;
  ValueCompressor compressor_;
  Reclaimer reclaimer_;

  std::deque<PendingWrite> queue_;
  size_t queue_bytes_ = 0;
  bool hurried_ = false;  // One in the queue is.
  int64_t retry_at_ns_ = 0;

  // The batch that is being made.
  std::string batch_;
  std::vector<WrittenBatch::Item> items_;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_VALUE_WRITER_H_
