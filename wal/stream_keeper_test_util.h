// What the tests of StreamKeeper share: a replica on a simulated disk that starts and ends, and the
// streams that it follows.

#ifndef TIDEMARK_WAL_STREAM_KEEPER_TEST_UTIL_H_
#define TIDEMARK_WAL_STREAM_KEEPER_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <future>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "wal/disk/simulated_disk.h"
#include "wal/recovery_test_util.h"
#include "wal/stream_keeper.h"

namespace tidemark::wal {

inline constexpr HistoryId kOld{7};
inline constexpr HistoryId kNew{8};
inline constexpr HistoryId kChild{9};

inline Watermarks At(std::initializer_list<uint64_t> sequences) {
  Watermarks at;
  for (const uint64_t sequence : sequences) at.push_back(Sequence(sequence));
  return at;
}

// A primary's stream, as its replica receives it.
class Stream {
 public:
  Stream(HistoryId history, Positions begin) : history_(history), positions_(std::move(begin)) {}

  FrameRef Next(int shard, const std::vector<TestRecord>& records) {
    ShardPosition& position = positions_[static_cast<size_t>(shard)];
    FrameRef frame = MakeFrame(history_, ShardId(static_cast<uint16_t>(shard)),
                               static_cast<int>(positions_.size()), position, records);
    position = {.sequence = frame->last_sequence(), .digest = frame->stream_digest()};
    return frame;
  }
  HistoryId history() const { return history_; }
  const Positions& positions() const { return positions_; }

 private:
  HistoryId history_;
  Positions positions_;
};

class StreamKeeperFixture : public testing::Test {
 protected:
  // A replica starts: whatever ended the one before.
  void Start(Disk* disk = nullptr) {
    End();
    directory_ = OpenDirectory(disk != nullptr ? *disk : disk_);
    const absl::StatusOr<Recovered> recovered = TryRecover(true);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    recovered_ = *recovered;
    Log::Options options;
    options.segment_bytes = 4096;
    keeper_ = std::make_unique<StreamKeeper>(*directory_, options);
    const absl::Status begun = keeper_->Begin(recovered_);
    ASSERT_TRUE(begun.ok()) << begun;
  }
  void End() {
    keeper_.reset();
    directory_.reset();
  }
  absl::StatusOr<Recovered> TryRecover(bool follow) {
    sink_ = MapSink();
    RecoveryOptions options = OptionsFor(2, 100);
    options.follow = follow;
    return Recover(*directory_, options, sink_);
  }

  void Append(const FrameRef& frame) {
    const std::shared_ptr<Log> log = keeper_->log();
    log->shard(frame->shard()).Append(frame);
    log->shard(frame->shard()).OnTurnEnd();
  }
  // Waits until this is durable.
  absl::Status Sync(const Watermarks& through) {
    std::promise<absl::Status> done;
    keeper_->log()->SyncThrough(through, [&](absl::Status status) { done.set_value(status); });
    return done.get_future().get();
  }
  // As the snapshot service does.
  absl::Status PutSnapshot(const Stream& stream, const KeyMap& state, uint64_t number) {
    const std::shared_ptr<Log> log = keeper_->log();
    const absl::Status synced = Sync(SequencesOf(stream.positions()));
    if (!synced.ok()) return synced;
    return keeper_->PutSnapshot(*log, [&] {
      return WriteStateSnapshot(*directory_,
                                {.number = number,
                                 .history = stream.history(),
                                 .shard_count = 2,
                                 .first_segment = log->current_segment(),
                                 .begun_at_ms = 1},
                                stream.positions(), state);
    });
  }
  // The directory of a replica that follows `old_` and stopped.
  void HasOld() {
    Start();
    ASSERT_TRUE(keeper_->Restart(kOld, Positions(2)).ok());
    keeper_->OnServed();
    Append(old_.Next(0, {Put("a", "1")}));
    Append(old_.Next(1, {Put("b", "2")}));
    const absl::Status put = PutSnapshot(old_, {{"a", "1"}, {"b", "2"}}, 1);
    ASSERT_TRUE(put.ok()) << put;
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<StreamKeeper> keeper_;
  MapSink sink_;
  Recovered recovered_;
  Stream old_{kOld, Positions(2)};
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_STREAM_KEEPER_TEST_UTIL_H_
