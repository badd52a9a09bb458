// RecoveryProgress says how far a recovery has come: INFO's loading_ fields and the log's lines.
//
// Threading: thread-safe; readers see each field as of some recent moment.

#ifndef TIDEMARK_WAL_RECOVERY_PROGRESS_H_
#define TIDEMARK_WAL_RECOVERY_PROGRESS_H_

#include <atomic>
#include <cstdint>

namespace tidemark::wal {

struct RecoveryProgress {
  // Of the snapshot's files and of the segments that are replayed after it; 0 until known.
  std::atomic<uint64_t> total_bytes{0};
  std::atomic<uint64_t> loaded_bytes{0};    // Of these, read and handed over.
  std::atomic<uint64_t> loaded_records{0};  // Snapshot entries and mutations, handed over.

  // 0 to 100.
  double loaded_percent() const {
    const auto total = static_cast<double>(total_bytes.load(std::memory_order_relaxed));
    const auto loaded = static_cast<double>(loaded_bytes.load(std::memory_order_relaxed));
    if (total <= 0) return 0;
    return loaded < total ? 100 * loaded / total : 100;
  }
  // Seconds that what is left takes at the mean rate so far, `elapsed_ms` after the start.
  int64_t eta_seconds(int64_t elapsed_ms) const {
    const uint64_t total = total_bytes.load(std::memory_order_relaxed);
    const uint64_t loaded = loaded_bytes.load(std::memory_order_relaxed);
    if (loaded == 0 || loaded >= total || elapsed_ms <= 0) return 0;
    const double ms_per_byte = static_cast<double>(elapsed_ms) / static_cast<double>(loaded);
    return static_cast<int64_t>(static_cast<double>(total - loaded) * ms_per_byte / 1000);
  }
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_RECOVERY_PROGRESS_H_
