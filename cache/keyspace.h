// Keyspace is one shard's keys and values: lookups, writes, expiry, and the walk that a snapshot or
// a digest makes over it while it serves.
//
// Every write goes through one of the functions below and mints exactly one mutation in the sink,
// after the keyspace has changed: there is no other way to change a key. Where Find(), Delete() and
// the like meet a key that has expired but is still there, its deletion is a mutation of its own
// and comes first; and a use of a key with an idle time may move its moment, which is one, too, and
// comes last. On a replica `effects_only` holds: the keyspace hides what has expired, and
// changes only when told, through the Apply functions. It holds on a primary, too, while the log
// cannot write; the first write may come a moment before it ends, and deletes what has expired.
//
// An entry may be cold: its value is then in the disk tier, and moves between there and memory
// without anybody being told, since the contents stay the same. Whoever needs a cold value reads it
// first (cache/cold_access.h); the functions below that need one say so.
//
// Threading: confined to the shard's thread. Nothing here is locked or atomic.

#ifndef TIDEMARK_CACHE_KEYSPACE_H_
#define TIDEMARK_CACHE_KEYSPACE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/eviction_policy.h"
#include "base/key_hash.h"
#include "cache/entry.h"
#include "cache/evicted_keys.h"
#include "cache/key_table.h"
#include "cache/mutation_sink.h"
#include "cache/pace_duel.h"
#include "cache/use_tracker.h"
#include "cache/victim_chooser.h"
#include "cache/walk_reads.h"
#include "tier/tier_front.h"

namespace tidemark::cache {

// A key and its KeyHash, computed once where the command was parsed.
struct KeyRef {
  std::string_view key;
  uint64_t hash = 0;

  static KeyRef Of(std::string_view key) { return {key, KeyHash(key)}; }
};

// Sees every entry of a keyspace exactly once, as it was when the walk began. Entries die with the
// call. None is cold: what is on disk is read first, and shown from a task some time after its
// turn.
class WalkVisitor {
 public:
  virtual ~WalkVisitor() = default;
  virtual void OnEntry(const Entry& entry) = 0;
  // Instead of OnEntry for an entry that was on disk and has changed before it could be shown.
  // `entry` is as it was when the walk began; `now` is what its key holds by now, null if nothing.
  // For whom only the beginning counts it is an entry like any other.
  virtual void OnLateEntry(const Entry& entry, const Entry* now) { OnEntry(entry); }
  // Instead of OnEntry for an entry whose value cannot be read. `entry` is cold.
  virtual void OnUnreadable(const Entry& entry, const absl::Status& why) = 0;
};

// Where the values of victims may go instead of being deleted with their keys: a slower tier.
// Borrowed by the keyspace, and called on its thread; it must not call back from within.
class VictimTaker {
 public:
  virtual ~VictimTaker() = default;
  // False: there is no point in offering any now.
  virtual bool TakesAny() const = 0;
  // Whether this entry's value is worth taking, and is not under way already.
  virtual bool Wants(const Entry& entry) = 0;
  // Begins to take it; the keyspace gives it up later, when the taker says so. False: not now.
  virtual bool Take(const Entry& entry, uint64_t hash) = 0;
  // What is under way and will free memory when it is complete.
  virtual size_t pending_bytes() const = 0;
};

struct EvictionOptions {
  EvictionPolicy policy = EvictionPolicy::kNoEviction;
  int samples = 5;          // Entries that are looked at for each victim.
  int lfu_log_factor = 10;  // Of the LFU policies; see UseTracker::Options.
  int lfu_decay_minutes = 1;
  // Whether there is a limit that could evict anything. Without one, TinyLFU keeps no counts, and
  // OBJECT IDLETIME works.
  bool limited = false;
};

enum class Eviction {
  kFreed,    // A key was deleted, or a slice of memory that waited to be freed.
  kPending,  // A value is on its way to the VictimTaker.
  kBusy,     // The VictimTaker takes no more now.
  kNothing,  // Nothing may go.
};

struct KeyspaceStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t expired_lazily = 0;
  uint64_t expired_actively = 0;
  uint64_t evicted = 0;
  uint64_t expired_idle = 0;         // Of both: before their last moment, being idle.
  uint64_t idle_renewals = 0;        // A use moved the moment of a key with an idle time.
  uint64_t stale_hits = 0;           // Of hits: the value was stale.
  uint64_t revalidations_asked = 0;  // AskToRevalidate() was true.
  uint64_t cold_lost = 0;            // A value was to be changed in part, and could not be read.
  uint64_t cold_unreadable_in_walks = 0;
};

class Keyspace {
 public:
  struct Options {
    MutationSink* sink = nullptr;  // Borrowed; null: nobody is told of writes.
    bool effects_only = false;     // A replica: expired keys are hidden, never deleted on our own.
    uint64_t random_seed = 0;      // For RandomKey().
    // What KeyRef::hash holds. Tests replace it to make keys collide.
    KeyTable::HashFunction hash_function = &KeyHash;
  };
  explicit Keyspace(const Options& options);
  ~Keyspace();
  Keyspace(const Keyspace&) = delete;
  Keyspace& operator=(const Keyspace&) = delete;

  // Wall time for expiry, and the access clock. The shard sets it once a turn.
  void set_now_ms(int64_t now_ms) {
    now_ms_ = now_ms;
    uses_.set_now_ms(now_ms);
    if (uses_.mode() == UseMode::kTinyLfu) AdvanceUses();
  }
  int64_t now_ms() const { return now_ms_; }

  // A role change: see Options.
  void set_effects_only(bool effects_only) { effects_only_ = effects_only; }
  bool effects_only() const { return effects_only_; }
  void set_sink(MutationSink* sink) { sink_ = sink; }

  // Where cold values are. Borrowed for the keyspace's life; set while nothing is cold.
  void set_tier(tier::TierFront* front) { front_ = front; }
  bool has_tier() const { return front_ != nullptr; }
  // Another keyspace that is filled beside this one, to take its place by SwapContents() or to be
  // dropped; null: none any more, which must be said before either. Its values go to disk as this
  // one's do, so that both together keep to the limit. Borrowed; on the same thread.
  void set_beside(Keyspace* beside);
  Keyspace* beside() const { return beside_; }

  // --- Reading. A pointer is good until the next call that is not const; Find() and Peek() of
  // another key leave it good. ---

  // The live entry, or null. Counts a hit or a miss and marks the access, which may move the moment
  // of an entry with an idle time, as an effect. An expired entry is null, and is deleted as an
  // effect. No effects while effects_only.
  const Entry* Find(KeyRef key);
  // The same without counting or marking (OBJECT, TTL, DEBUG).
  const Entry* Peek(KeyRef key);
  // The hit that Find() has just counted was none: the command is to be called again.
  void ForgetHit() { --stats_.hits; }
  // Starts loading what Find(hash) will touch: first the bucket; a moment later, the entry.
  void PrefetchBucket(uint64_t hash) const { contents_.keys.PrefetchBucket(hash); }
  void PrefetchEntry(uint64_t hash) const { contents_.keys.PrefetchEntry(hash); }

  // Physically present entries, expired ones included (as DBSIZE counts them).
  size_t size() const { return contents_.keys.size(); }
  size_t expiring_size() const { return contents_.expiring.size(); }  // Those with an expiry.
  // Mean time to live over a sample, in ms; 0 if nothing expires (INFO keyspace's avg_ttl).
  int64_t average_ttl_ms() const;
  // A random live key, or empty if there is none (after a bounded number of tries).
  std::string RandomKey();
  // SCAN within this shard: visits at least every entry that stays from cursor 0 to the returned 0,
  // however the table grows meanwhile. Visits live entries of about `count` slots and returns the
  // next cursor, of at most 48 bits. `visit` must not call this keyspace's functions that are not
  // const.
  uint64_t Scan(uint64_t cursor, size_t count, const std::function<void(const Entry&)>& visit);

  // --- Writing. Each mints one mutation. Keys and values may be views of entries of this keyspace;
  // none is longer than kMaxKeyBytes and kMaxValueBytes. ---

  // Stores a string, replacing whatever was there and its expiry.
  void Set(KeyRef key, std::string_view value, const Expiry& expiry);
  // As Set, keeping the present expiry (SET KEEPTTL, INCR, GETSET's siblings); being a use, it
  // moves the moment of one with an idle time.
  void SetKeepExpiry(KeyRef key, std::string_view value);
  // Overwrites from `offset`, padding with zeros (APPEND, SETRANGE). Creates the key if absent.
  // Keeps the expiry; a second mutation may move the moment of one with an idle time. Returns the
  // new length. Requires: the entry is not cold; see MakeWarm().
  size_t SetRange(KeyRef key, size_t offset, std::string_view bytes);
  // False if there was no live entry.
  bool Delete(KeyRef key, DeleteCause cause = DeleteCause::kCommand);
  // Replaces or (kNoExpiry) removes the expiry of a present key. False if there was none.
  bool SetExpiry(KeyRef key, const Expiry& expiry);
  // Whether a caller that has found the value of this key stale is to fetch it anew: if so nobody
  // else is asked for lease_ms, unless the value or its expiry changes before. False if the value
  // is not stale, and while effects_only, when what was fetched could not be written. Mints
  // nothing: other nodes need not know.
  bool AskToRevalidate(KeyRef key, int64_t lease_ms);
  // Empties the shard. Memory is given back by Housekeeping(), a slice at a time.
  void Flush();

  // --- Applying what another node decided: exact, whatever the clock says; no mutation is minted.
  // ---
  void ApplySet(KeyRef key, std::string_view value, const Expiry& expiry);
  void ApplyDelete(KeyRef key);
  void ApplyExpiry(KeyRef key, const Expiry& expiry);
  // If the entry is cold, waits for the disk. If its value is lost, it stays lost.
  void ApplySetRange(KeyRef key, size_t offset, std::string_view bytes);
  void ApplyFlush();
  // Before many keys are applied to an empty keyspace: makes room, see KeyTable::Reserve(), which
  // Housekeeping() leaves alone until Reserve(0).
  void Reserve(size_t keys) { contents_.keys.Reserve(keys); }

  // Every entry that is physically present, expired and cold ones included; `visit` must not change
  // anything. In time proportional to the keyspace.
  void VisitAll(const std::function<void(const Entry&)>& visit) const;

  // --- Where values are. Contents stay as they are: no mutation is minted, no access marked. ---

  // The entry, expired or not; null if there is none. Changes nothing.
  const Entry* Look(KeyRef key) const { return Present(key); }
  // Entries whose values are on disk, and the length of those.
  size_t cold_size() const { return contents_.cold_entries; }
  uint64_t cold_bytes() const { return contents_.cold_bytes; }
  // `value` has been written to `at`: lets go of it in memory. False if it is not the key's value
  // any more, or is on disk already; then nothing refers to `at`.
  bool MakeCold(KeyRef key, std::string_view value, const tier::ValueLocation& at);
  // `value` was read from `at`: takes it back into memory and frees the location. False if the
  // entry is not there any more.
  bool MakeWarm(KeyRef key, const tier::ValueLocation& at, std::string_view value);
  // The same, waiting for the disk; for a replica, which cannot put off what its stream brings.
  // Requires: the entry is at `at`. False if the value is lost, for good.
  bool WarmNow(KeyRef key, const tier::ValueLocation& at);
  // Whether the key's entry is cold, at exactly this location.
  bool IsAt(KeyRef key, const tier::ValueLocation& at) const;
  // What is at `from` is at `to` as well: the entry is there from now on. The caller frees `from`.
  // False if the entry is not at `from` any more.
  bool Relocate(KeyRef key, const tier::ValueLocation& from, const tier::ValueLocation& to);

  // --- Work in the background, in slices. ---

  // Deletes expired entries as effects, visiting at most `max_visits`; call it every 100 ms or so,
  // and again at once while it returns true (much of what it saw had expired). No-op if
  // effects_only.
  bool ExpireSome(size_t max_visits);
  // Frees about `max_entries` of what Flush left behind, or gives back memory of a table that has
  // lost most of its keys. True while there is more.
  bool Housekeeping(size_t max_entries);

  // --- Eviction. ---

  void SetEviction(const EvictionOptions& options);
  const EvictionOptions& eviction() const { return eviction_; }
  // Null: victims are deleted.
  void set_victim_taker(VictimTaker* taker) { taker_ = taker; }
  VictimTaker* victim_taker() const { return taker_; }
  // Gives up one victim of the policy as an effect, or frees a slice of what a flush left behind.
  // With a keyspace beside, first of the one that has more in memory.
  // With a taker the victim's value goes there, and keys are deleted only if it wants none of them
  // and the policy is not kNoEviction; none is deleted while effects_only.
  Eviction EvictOne();
  const UseTracker& uses() const { return uses_; }
  const PaceDuel& pace_duel() const { return duel_; }

  // --- The walk: the exact state of this instant, seen while the keyspace goes on changing. ---
  // One at a time. An entry about to change that the walk has not reached is shown to the visitor
  // first. After a flush, what is still to be shown is older than the flush, and is shown by
  // WalkSome() all the same. `visitor` is borrowed until the walk ends; it must not call this
  // keyspace.
  //
  // Constant time, unless kMaxAbandonedWalks walks in a row were cancelled with hardly any
  // Housekeeping() between: then it takes a pass over the whole keyspace.
  void BeginWalk(WalkVisitor* visitor);
  bool walking() const { return visitor_ != nullptr; }
  // That walk, and not one that began after it was cancelled.
  bool walking(const WalkVisitor* visitor) const { return visitor_ == visitor; }
  // Shows about `max_entries` more. True when the walk is complete (and thereby ended).
  bool WalkSome(size_t max_entries);
  // Shows the key's entry now if the walk has not reached it, as if it were about to change.
  void ShowUnseen(KeyRef key);
  // Whether the walk cannot go on before more values have come from disk: a task then comes.
  bool walk_waits() const {
    if (walk_reads_ == nullptr || walk_reads_->waits_for_front()) return false;
    return walk_reads_->full() || (pass_done_ && !walk_reads_->empty());
  }
  // Ends the walk early. The next BeginWalk is correct all the same.
  void CancelWalk();

  const KeyspaceStats& stats() const { return stats_; }
  void ResetStats() {
    AdvanceUses();
    stats_ = KeyspaceStats();
    hits_of_tick_ = 0;
  }
  // Bytes of entries and tables, as the allocator rounds them.
  size_t memory_bytes() const;
  // Of them, those of tables, and of them, those that are mapped instead of allocated.
  size_t table_bytes() const;
  size_t mapped_bytes() const;

  // Verifies what must hold between tables, entries and counters, in time proportional to the
  // keyspace. For tests.
  bool IsConsistent() const;

  // Exchanges all contents with `other` (a snapshot's atomic swap-in). Neither may be walking.
  void SwapContents(Keyspace& other);

 private:
  // A walk knows what it has seen by the mark of each entry: seen if it is the contents' mark.
  // Beginning a walk changes that mark, which makes everything unseen at once; new entries are born
  // seen. A walk that completes leaves every entry with the same mark. One that is cancelled leaves
  // old marks behind; Housekeeping() then finishes its pass without a visitor. Meanwhile further
  // walks may begin, as long as there are marks that no entry can have.
  static constexpr int kMaxAbandonedWalks = Entry::kMarks - 1;

  struct Contents {
    explicit Contents(KeyTable::HashFunction hash_function)
        : keys(hash_function), expiring(hash_function) {}
    void Swap(Contents& other);
    size_t memory_bytes() const {
      return keys.memory_bytes() + expiring.memory_bytes() + entry_bytes;
    }

    KeyTable keys;      // Owns the entries.
    KeyTable expiring;  // Those of them that have an expiry.
    size_t entry_bytes = 0;
    size_t cold_entries = 0;
    uint64_t cold_bytes = 0;  // The length of their values.
    unsigned mark = 0;
    // Of the pass over the marks that a walk, or its cancellation, began.
    bool pass_running = false;
    uint64_t pass_cursor = 0;
    int abandoned_walks = 0;  // Since a pass was complete.
  };

  // The entry whether it has expired or not; null if there is none.
  Entry* Present(const KeyRef& key) const { return contents_.keys.Find(key.hash, key.key); }
  // The live entry, for a write; what has expired is deleted as an effect and null, whatever
  // effects_only says: a second entry beside it would be one that no replica has.
  Entry* EntryForWrite(KeyRef key);
  // Find() without a live entry, out of line so that a hit stays cheap. `expired` may be null.
  [[gnu::noinline]] const Entry* Miss(const KeyRef& key, Entry* expired);
  // Find() of a live entry that has extras, for the same reason.
  [[gnu::noinline]] void UseExtras(Entry* entry);
  // What a use now makes of an expiry.
  Expiry AfterUse(const Expiry& expiry) const;
  // Moves the moment of an entry that has extras and is used now, as an effect, if it has an idle
  // time and enough of that has passed. Not while effects_only.
  void RenewIdle(Entry* entry);
  // Deletes as an effect what has expired, unless effects_only.
  void DropExpired(KeyRef key, Entry* entry);

  // The changes themselves, without a mutation. `present` is the entry of the key, or null where
  // that is allowed. Each returns the entry as it then is.
  Entry* Store(KeyRef key, Entry* present, std::string_view value, const Expiry& expiry);
  Entry* StoreRange(KeyRef key, Entry* present, size_t offset, std::string_view bytes);
  Entry* StoreExpiry(uint64_t hash, Entry* present, const Expiry& expiry);
  // Puts `fresh` in the place of `present`, which may be null, and destroys that.
  Entry* Install(uint64_t hash, Entry* present, Entry* fresh);
  // Puts `fresh` in the place of `present` in the tables, and destroys that.
  void Exchange(uint64_t hash, Entry* present, Entry* fresh);
  // Takes the entry out of the tables; the caller destroys it.
  void Unlink(uint64_t hash, Entry* entry);
  // An entry of `contents` leaves the location where its value was.
  void LeaveLocation(Contents& contents, const Entry& entry);
  // Deletes with a mutation.
  void Remove(uint64_t hash, Entry* entry, DeleteCause cause);
  void DetachContents();
  Eviction EvictOwn();
  // A value for the taker; null: none was found.
  VictimChooser::Victim ChooseForTaker();
  // Tells uses_ how many requests there were, and at which pace to forget.
  void AdvanceUses();
  // An entry is used that was there already.
  void Touch(uint64_t hash, Entry* entry) {
    uses_.Touch(entry);
    if (duel_.Samples(hash)) [[unlikely]]
      duel_.Access(hash, uses_.tick());
  }
  // The use word of a key that is new here.
  uint32_t FirstUse(uint64_t hash);

  // Call before any change of an entry's content.
  void ShowPreImage(Entry* entry) {
    if (visitor_ != nullptr && entry->mark() != contents_.mark) ShowEntry(contents_, entry);
  }
  void ShowEntry(const Contents& contents, Entry* entry);
  // Advances the pass, showing what is unseen if there is a visitor. True when it is complete.
  bool AdvancePass(Contents& contents, size_t max_entries);
  // A slice of freeing `contents`; true when nothing is left.
  bool FreeSome(Contents& contents, size_t max_entries);
  // A value that the walk waited for has come.
  void OnWalkRead(const Entry& entry, absl::StatusOr<tier::ReadValue> value, OwnedEntry earlier);
  void EndWalk();

  Contents contents_;
  MutationSink* sink_;
  tier::TierFront* front_ = nullptr;
  WalkVisitor* visitor_ = nullptr;
  int64_t now_ms_ = 0;
  bool effects_only_;
  UseTracker uses_;
  KeyspaceStats stats_;

  // What the walk goes over: contents_, or what was that when the walk began and was detached
  // since.
  Contents* walked_ = nullptr;
  std::unique_ptr<WalkReads> walk_reads_;  // Null: no walk, or nothing can be cold.
  bool pass_done_ = false;                 // All that is left of the walk is what it reads.
  std::vector<std::unique_ptr<Contents>> detached_;  // To be freed.
  uint64_t expiry_cursor_ = 0;
  std::mt19937_64 random_;
  const KeyTable::HashFunction hash_function_;

  EvictionOptions eviction_;
  VictimTaker* taker_ = nullptr;
  Keyspace* beside_ = nullptr;
  int64_t next_long_look_ms_ = 0;  // For a value that the taker wants, where they are few.
  VictimChooser chooser_;
  EvictedKeys evicted_keys_;  // Under TinyLFU, as is:
  PaceDuel duel_;
  uint64_t keys_added_ = 0;    // Since uses_ was told, as are:
  uint64_t hits_of_tick_ = 0;  // stats_.hits then.
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_KEYSPACE_H_
