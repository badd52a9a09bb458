// FakeExportSource is a log in memory: frames by history and shard, `durable`, retention, snapshots
// and forks, all moved by the test.
//
// Threading: thread-safe, so that a test may write while a server reads.

#ifndef TIDEMARK_WAL_EXPORT_FAKE_EXPORT_SOURCE_H_
#define TIDEMARK_WAL_EXPORT_FAKE_EXPORT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/export/export_source.h"

namespace tidemark::wal {

// A frame of `records` Sets from `first` on; `value_bytes` each. The key says which change it is:
// "HISTORY/SHARD/SEQUENCE".
FrameRef MakeTestFrame(HistoryId history, ShardId shard, int shard_count, Sequence first,
                       uint32_t records, size_t value_bytes);
std::string TestKey(HistoryId history, ShardId shard, Sequence sequence);

class FakeExportSource final : public ExportSource {
 public:
  FakeExportSource(HistoryId history, int shards);
  ~FakeExportSource() override;

  // --- What the log does ---

  // One frame of `records` more; durable with Sync().
  void Append(int shard, uint32_t records, size_t value_bytes = 10);
  void Sync();
  void AppendAndSync(int shard, uint32_t records) {
    Append(shard, records);
    Sync();
  }
  // Retention drops everything durable now.
  void DropDurable();
  // A snapshot of what is durable: one chunk a shard with `entries` keys.
  void TakeSnapshot(uint32_t entries);
  // A crash, and a new history that goes on from what is durable; with another number of shards it
  // begins at 0.
  void Fork(HistoryId child, int shards);
  // Every cursor fails from here on.
  void BreakDisk();
  // The consumer's place is beyond the cap.
  void Lose(const std::string& consumer);

  HistoryId history() const;
  // Of Keep(), Open() and Acknowledge(): the newest for each consumer.
  std::map<std::string, uint64_t> kept() const;

  // --- ExportSource ---

  ExportPosition Durable() override;
  ExportOpened Open(const std::string& consumer, const ExportStart& start) override;
  void Keep(const std::string& consumer, uint64_t segment) override;
  void Forget(const std::string& consumer) override;
  bool Lost(const std::string& consumer) const override;

 private:
  friend class FakeExportCursor;

  struct Shard {
    std::vector<FrameRef> frames;
    Sequence last;
    Sequence durable;
    Sequence dropped;
  };
  struct History {
    HistoryId id;
    std::vector<Shard> shards;
    Watermarks fork;  // Where the child left it; empty: the newest.
  };
  struct Snapshot {
    ExportPosition position;
    std::vector<FrameRef> chunks;
  };

  ExportPosition DurableLocked() const;
  ExportOpened OpenLocked(const std::string& consumer, const ExportStart& start);

  mutable std::mutex mutex_;
  std::vector<History> histories_;  // Oldest first.
  std::unique_ptr<Snapshot> snapshot_;
  std::map<std::string, uint64_t> kept_;
  std::set<std::string> lost_;
  bool broken_ = false;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_FAKE_EXPORT_SOURCE_H_
