// Keyspace is one shard's keys and values: lookups, writes, expiry, and the walk that a snapshot or a
// digest makes over it while it serves.
//
// Every write goes through one of the functions below and mints exactly one mutation in the sink: there
// is no other way to change a key. On a replica the sink is null and `effects_only` holds: the keyspace
// hides what has expired but deletes only when told.
//
// Threading: confined to the shard's thread. Nothing here is locked or atomic.

#ifndef TIDEMARK_CACHE_KEYSPACE_H_
#define TIDEMARK_CACHE_KEYSPACE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/key_hash.h"
#include "cache/entry.h"
#include "cache/key_table.h"
#include "cache/mutation_sink.h"

namespace tidemark::cache {

// A key and its KeyHash, computed once where the command was parsed.
struct KeyRef {
  std::string_view key;
  uint64_t hash = 0;

  static KeyRef Of(std::string_view key) { return {key, KeyHash(key)}; }
};

// Sees every entry of a keyspace exactly once, as it was when the walk began.
class WalkVisitor {
 public:
  virtual ~WalkVisitor() = default;
  virtual void OnEntry(const Entry& entry) = 0;  // Dies with the call.
};

struct KeyspaceStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t expired_lazily = 0;
  uint64_t expired_actively = 0;
};

class Keyspace {
 public:
  struct Options {
    MutationSink* sink = nullptr;  // Borrowed; null: nobody is told of writes.
    bool effects_only = false;     // A replica: expired keys are hidden, never deleted on our own.
    uint64_t random_seed = 0;      // RANDOMKEY and expiry sampling.
  };
  explicit Keyspace(const Options& options);
  ~Keyspace();
  Keyspace(const Keyspace&) = delete;
  Keyspace& operator=(const Keyspace&) = delete;

  // Wall time for expiry, and the access clock. The shard sets it once a turn.
  void set_now_ms(int64_t now_ms);
  int64_t now_ms() const;

  // A role change: see Options.
  void set_effects_only(bool effects_only);
  void set_sink(MutationSink* sink);

  // --- Reading. A pointer is good until the next call that is not const. ---

  // The live entry, or null. Counts a hit or a miss and marks the access. An expired entry is null, and
  // is deleted as an effect unless effects_only.
  const Entry* Find(KeyRef key);
  // The same without counting or marking (OBJECT, TTL, DEBUG).
  const Entry* Peek(KeyRef key);
  // Starts loading what Find(hash) will touch: first the bucket; a moment later, the entry.
  void PrefetchBucket(uint64_t hash) const;
  void PrefetchEntry(uint64_t hash) const;

  // Physically present entries, expired ones included (as DBSIZE counts them).
  size_t size() const;
  size_t expiring_size() const;  // Those with an expiry.
  // Mean time to live over a recent sample, in ms; 0 if there is none (INFO keyspace's avg_ttl).
  int64_t average_ttl_ms() const;
  // A random live key, or empty if there is none (after a bounded number of tries).
  std::string RandomKey();
  // SCAN within this shard: visits at least every entry that stays from cursor 0 to the returned 0,
  // however the table grows meanwhile. Visits live entries of about `count` slots and returns the next
  // cursor, of at most 48 bits.
  uint64_t Scan(uint64_t cursor, size_t count, const std::function<void(const Entry&)>& visit);

  // --- Writing. Each mints one mutation. ---

  // Stores a string, replacing whatever was there and its expiry.
  void Set(KeyRef key, std::string_view value, int64_t expire_at_ms);
  // As Set, keeping the present expiry (SET KEEPTTL, INCR, GETSET's siblings).
  void SetKeepExpiry(KeyRef key, std::string_view value);
  // Overwrites from `offset`, padding with zeros (APPEND, SETRANGE). Creates the key if absent. Keeps
  // the expiry. Returns the new length.
  size_t SetRange(KeyRef key, size_t offset, std::string_view bytes);
  // False if there was no live entry.
  bool Delete(KeyRef key, DeleteCause cause = DeleteCause::kCommand);
  // Sets or (kNoExpiry) removes the expiry of a present key. False if there was none.
  bool SetExpiry(KeyRef key, int64_t expire_at_ms);
  // Empties the shard. Memory is given back by Housekeeping(), a slice at a time.
  void Flush();

  // --- Applying what another node decided: exact, whatever the clock says; no mutation is minted. ---
  void ApplySet(KeyRef key, std::string_view value, int64_t expire_at_ms);
  void ApplyDelete(KeyRef key);
  void ApplyExpiry(KeyRef key, int64_t expire_at_ms);
  void ApplySetRange(KeyRef key, size_t offset, std::string_view bytes);
  void ApplyFlush();

  // --- Work in the background, in slices. ---

  // Deletes expired entries as effects, visiting at most `max_visits`; call it every 100 ms or so, and
  // again at once while it returns true (much of what it saw had expired). No-op if effects_only.
  bool ExpireSome(size_t max_visits);
  // Frees at most `max_entries` of what Flush left behind. True while there is more.
  bool Housekeeping(size_t max_entries);

  // --- The walk: the exact state of this instant, seen while the keyspace goes on changing. ---
  // One at a time. An entry about to change that the walk has not reached is shown to the visitor first.
  // `visitor` is borrowed until the walk ends.
  void BeginWalk(WalkVisitor* visitor);
  bool walking() const;
  // Shows about `max_entries` more. True when the walk is complete (and thereby ended).
  bool WalkSome(size_t max_entries);
  // Ends the walk early. The next BeginWalk is correct all the same.
  void CancelWalk();

  const KeyspaceStats& stats() const;
  void ResetStats();
  // Bytes of entries and tables, as the allocator rounds them.
  size_t memory_bytes() const;

  // Exchanges all contents with `other` (a snapshot's atomic swap-in). Neither may be walking.
  void SwapContents(Keyspace& other);

  // The longest single growth step so far in nanoseconds is not kept here: growth is one bucket a step.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_KEYSPACE_H_
