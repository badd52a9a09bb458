// ColdValues moves the values of one shard between memory and the disk tier, and reads them for
// commands that wait.
//
//   memory is short:   Take(entry)  ...written...  the entry turns cold
//   a command needs:   StageCached(keys, staged)   what the page cache has; it need not wait
//   a command waits:   Fetch(keys, staged, done)   ...read...  done(): it runs with what is staged
//   a read may pay off: the promoter is told, and has it landed: by the shard itself at the end of
//                      the turn (landings()), or in its own time (Shard::Promote())
//
// Races, and who wins: a value that is overwritten, deleted or flushed while it is written down
// stays what it is (the value is compared when the write is done); a promotion or a read that comes
// late finds the entry elsewhere and changes nothing (a location is never used twice); readers of
// one key share one read from the disk.
//
// A keyspace that a full sync fills beside the shard's (Keyspace::beside()) gives its values to
// disk here as well; commands see only the shard's.
//
// Bounds: values under way to disk, kMaxWritingBytes, then Take() is false; reads are bounded by
// the front, which has a queue: what it has no room for waits here, at most one entry for each
// command that waits.
// Reads that do not wait: so many bytes a turn (kCachedBytesInTurn), then the reading threads have
// the rest.
//
// Threading: confined to its shard's thread. Borrows the keyspace and the front.

#ifndef TIDEMARK_CACHE_COLD_VALUES_H_
#define TIDEMARK_CACHE_COLD_VALUES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "base/buffer.h"
#include "cache/cold_access.h"
#include "cache/keyspace.h"
#include "cache/turn_landings.h"
#include "tier/tier_front.h"

namespace tidemark::cache {

class ColdValues final : public tier::TierOwner, public VictimTaker {
 public:
  static constexpr size_t kMaxWritingBytes = 8 << 20;
  // What StageCached() may read in a turn of the shard, and as what it counts a value at least, and
  // one that was not there: for such a one the system begins to read.
  static constexpr size_t kCachedBytesInTurn = 256 * 1024;
  static constexpr size_t kLeastCachedCost = 1024;
  static constexpr size_t kNotCachedCost = 16 * 1024;
  // A tier that is full or down is asked again after so long. Meanwhile it wants nothing, and keys
  // are evicted as without it.
  static constexpr int64_t kRefusedPauseMs = 100;

  struct Options {
    size_t min_value_bytes = 64;  // Smaller ones stay: their entry would hardly shrink.
    // A tier that has had something to write for so long and has not said a word stands still: it
    // wants nothing until it speaks again.
    int64_t stalled_ms = 5000;
    // Told of each value that was read for a command and is still where it was read. May refuse.
    std::function<void(std::string_view key, const tier::ValueLocation& at,
                       const tier::ReadValue& value)>
        promote = nullptr;
  };

  struct Counters {
    uint64_t demoted = 0;          // Entries that turned cold.
    uint64_t demoted_bytes = 0;    // The length of their values.
    uint64_t demotions_stale = 0;  // Written, but the value had changed.
    uint64_t demotions_failed = 0;
    uint64_t promoted = 0;
    uint64_t promotions_stale = 0;      // The entry had changed or moved.
    uint64_t promotions_held_back = 0;  // There was no room for them.
    uint64_t hits_on_disk = 0;          // Values that commands got from there.
    uint64_t unreadable = 0;            // Values that commands could not get.
    uint64_t commands_waited = 0;       // Times that a command waited for the disk.
    uint64_t cached_put_off = 0;        // Values not looked for in the page cache: the turn's bytes
                                        // were used up.
  };

  // Makes the front the keyspace's, and itself the taker of its victims.
  ColdValues(const Options& options, Keyspace* keyspace, tier::TierFront* front);
  ~ColdValues() override;
  ColdValues(const ColdValues&) = delete;
  ColdValues& operator=(const ColdValues&) = delete;

  // --- VictimTaker: values go to disk. ---

  // The tier is neither full nor down, and does not stand still.
  bool TakesAny() const override { return keyspace_->now_ms() >= refused_until_ms_ && !stalled(); }
  // Whether this value may go to disk: neither too short nor too long, in memory, not under way,
  // and the tier takes any.
  bool Wants(const Entry& entry) override;
  // Begins to write it down. False: not now. The entry stays as it is until it is written.
  bool Take(const Entry& entry, uint64_t hash) override;
  // What leaves memory once it is written.
  size_t pending_bytes() const override { return writing_bytes_; }
  // How much of its bound that is.
  int writing_percent() const {
    return static_cast<int>(std::min<size_t>(writing_bytes_ * 100 / kMaxWritingBytes, 100));
  }

  // --- For commands. ---

  // Stages what can be read without waiting, and takes it out of `needed`. True: nothing is left.
  bool StageCached(std::vector<NeededValue>& needed, StagedValues& staged);
  // A turn of the shard begins.
  void BeginTurn() { cached_bytes_left_ = kCachedBytesInTurn; }
  // Reads values and then calls `done` from a task, with every one of `needed` in *staged, which
  // must live until then.
  void Fetch(std::vector<NeededValue> needed, StagedValues* staged,
             absl::AnyInvocable<void()> done);
  tier::TierFront* front() { return front_; }
  // Commands that wait.
  size_t fetches_under_way() const { return fetches_under_way_; }
  // Offers the front again what it had no room for. True while there is more.
  bool RetryReads();

  // --- Promotion. ---

  // A promotion: takes the value back into memory if it is still at `at`. Whether there is room is
  // for the shard to say.
  bool Land(KeyRef key, const tier::ValueLocation& at, std::string_view value);
  void CountHeldBack() { ++counters_.promotions_held_back; }
  // What the shard lands at the end of this turn.
  TurnLandings& landings() { return landings_; }

  const Counters& counters() const { return counters_; }

  // --- tier::TierOwner ---
  bool Written(std::string_view key, tier::WriteTicket ticket,
               tier::ValueLocation location) override;
  void NotWritten(std::string_view key, tier::WriteTicket ticket, const absl::Status& why) override;
  bool IsAt(std::string_view key, tier::ValueLocation location) override;
  bool Moved(std::string_view key, tier::ValueLocation from, tier::ValueLocation to) override;

 private:
  struct Writing {
    BufferRef value;
    uint64_t hash = 0;
  };
  struct Fetching {
    StagedValues* staged = nullptr;
    absl::AnyInvocable<void()> done;
    size_t missing = 0;
  };
  struct WaitingRead {
    NeededValue value;
    std::shared_ptr<Fetching> fetching;
  };

  // False: the front has no room.
  bool Read(const NeededValue& value, const std::shared_ptr<Fetching>& fetching);
  void OnRead(const NeededValue& value, const std::shared_ptr<Fetching>& fetching,
              const tier::ValueLocation& location, absl::StatusOr<tier::ReadValue> read);
  // What was read for a command: staged for it, unless its entry has changed.
  void Stage(std::string_view key, const tier::ValueLocation& location,
             absl::StatusOr<tier::ReadValue> read, StagedValues& staged);
  bool StageIfCached(const NeededValue& value, StagedValues& staged);
  Writing TakeWriting(tier::WriteTicket ticket);
  bool stalled() const {
    return writing_bytes_ > 0 && keyspace_->now_ms() - heard_ms_ >= options_.stalled_ms;
  }

  const Options options_;
  Keyspace* const keyspace_;
  tier::TierFront* const front_;
  absl::flat_hash_map<tier::WriteTicket, Writing> writing_;
  absl::flat_hash_set<uint64_t> writing_hashes_;  // Of keys.
  size_t writing_bytes_ = 0;
  int64_t refused_until_ms_ = 0;
  int64_t heard_ms_ = 0;  // When the tier last had nothing to write, or wrote something.
  size_t too_large_bytes_ = SIZE_MAX;  // Values as long as this are too long for the tier.
  std::deque<WaitingRead> waiting_reads_;
  size_t fetches_under_way_ = 0;
  size_t cached_bytes_left_ = kCachedBytesInTurn;
  TurnLandings landings_;
  Counters counters_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COLD_VALUES_H_
