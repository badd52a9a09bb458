// Retention knows who still reads the log's older segments: export consumers, replicas that catch
// up from disk. Segments that no snapshot needs any more are kept for them, up to a cap in bytes
// for each; a reader beyond its cap is declared lost, loudly, and no longer keeps anything.
//
//   auto hold = retention.Register({.name = "export billing", .cap_bytes = 10_GiB}, segment);
//   hold->Set(reader.segment());           // As it reads on.
//   if (hold->lost()) ...                  // What it has not read is gone, or may go at any time.
//
// Only what a reader alone keeps counts towards its cap: bytes that the snapshots need anyway make
// nobody lost, however far behind.
//
// Threading: thread-safe. on_lost is called on the pruning thread, without a lock, once.
// Ownership: Retention outlives the holds that it gives out.

#ifndef TIDEMARK_WAL_RETENTION_H_
#define TIDEMARK_WAL_RETENTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tidemark::wal {

// A segment, and the disk space that goes with it.
struct SegmentSize {
  uint64_t number = 0;
  uint64_t bytes = 0;
};

class Retention {
 public:
  struct LostReader {
    std::string name;
    uint64_t segment = 0;     // It had read up to here; this segment, at least, is gone.
    uint64_t kept_bytes = 0;  // What it would have kept.
    uint64_t cap_bytes = 0;
  };
  struct Reader {
    std::string name;
    uint64_t cap_bytes = 0;
    std::function<void(const LostReader&)> on_lost;  // May be null.
  };

  // One reader's claim; ends when it is destroyed.
  class Hold {
   public:
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    // It needs `segment` and later ones. Never goes back.
    void Set(uint64_t segment);
    // Final: register anew to read on from somewhere else.
    bool lost() const { return lost_.load(std::memory_order_acquire); }
    uint64_t segment() const { return segment_.load(std::memory_order_relaxed); }

   private:
    friend class Retention;
    Hold(Retention& retention, Reader reader, uint64_t segment);

    Retention& retention_;
    const Reader reader_;
    std::atomic<uint64_t> segment_;
    std::atomic<uint64_t> kept_bytes_{0};  // As of the last pruning.
    std::atomic<bool> lost_{false};
  };

  Retention() = default;
  ~Retention();  // Requires: every hold is gone.
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  // Register first, then open the segment: what is there then stays, cap permitting.
  std::unique_ptr<Hold> Register(Reader reader, uint64_t segment);

  // The lowest segment that a reader needs; UINT64_MAX: none needs any.
  uint64_t LowestNeeded() const;

  // For the pruner. `segments` ascend; those below `floor` are needed by no snapshot. Declares the
  // readers beyond their caps lost and returns the lowest segment that must stay, at most `floor`.
  uint64_t Settle(const std::vector<SegmentSize>& segments, uint64_t floor);

  // --- To look at ---

  struct View {
    std::string name;
    uint64_t segment = 0;
    uint64_t kept_bytes = 0;  // That it alone keeps, as of the last pruning.
    uint64_t cap_bytes = 0;
    bool lost = false;
  };
  std::vector<View> Readers() const;
  uint64_t lost_total() const { return lost_total_.load(std::memory_order_relaxed); }

 private:
  mutable std::mutex mutex_;
  std::vector<Hold*> holds_;  // Guarded by mutex_.
  std::atomic<uint64_t> lost_total_{0};
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_RETENTION_H_
