// OwnedKeys knows what the keys of one connection must hold after a crash. Nobody else writes them,
// so each state that they went through is known, and a node that came back must show one of these:
//
//   const std::vector<std::string> command = keys.Next(now_ms);   // Already counted as sent.
//   ... the reply came:  keys.OnReplied();
//   keys.MustKeep(keys.replied());            // fsync=always: what was replied is there.
//   ... kill -9, restart, read every key ...
//   EXPECT_EQ(keys.Settle(found), "");        // And goes on from what was found.
//
// The promise that Settle() checks: on each shard there is a number of commands n such that the
// shard's keys hold exactly what the first n commands left (a prefix, nothing that was never
// written); n is at least what MustKeep() said; and a command that spans shards (MSET, RENAME,
// COPY, DEL) is in the prefix of all of them or of none.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_INTEGRATION_HARNESS_OWNED_KEYS_H_
#define TIDEMARK_INTEGRATION_HARNESS_OWNED_KEYS_H_

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace tidemark::integration {

class OwnedKeys {
 public:
  struct State {
    std::optional<std::string> value;
    int64_t expire_at_ms = 0;  // 0: never. Far enough away that no test reaches it.
    friend bool operator==(const State&, const State&) = default;
  };

  // Keys begin with `name`, which no other has.
  OwnedKeys(std::string name, int shards, uint64_t seed);

  const std::vector<std::string>& keys() const { return names_; }

  // The next command, every kind of write by chance but FLUSHALL.
  std::vector<std::string> Next(int64_t now_ms);
  // A FLUSHALL was sent, by whomever; no other command is under way.
  void FlushAll();
  // The oldest command without a reply got one.
  void OnReplied() { ++replied_; }
  int64_t replied() const { return replied_; }

  // The first `commands` must survive whatever happens. Only grows until Settle().
  void MustKeep(int64_t commands);

  // found[i] is what key i holds now. Empty, and the count of commands begins at 0 again, if that
  // may be; else what is wrong.
  std::string Settle(const std::vector<State>& found);

 private:
  struct Change {
    int64_t command;  // 0: from the beginning.
    State state;
  };
  struct Key {
    int shard = 0;
    std::vector<Change> changes;  // Ascending, never empty.
  };
  using Possible = std::vector<bool>;  // [n]: whether the first n commands explain what was found.

  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  size_t DrawKey() { return static_cast<size_t>(Draw(static_cast<int>(keys_.size()))); }
  std::string NewValue();
  const State& Now(size_t key) const { return keys_[key].changes.back().state; }
  void Set(size_t key, State state) { keys_[key].changes.push_back({sent_, std::move(state)}); }
  std::vector<std::string> Single(size_t key, int64_t now_ms);
  std::vector<std::string> Spanning(size_t a, size_t b);
  std::string Explain(const std::vector<State>& found, std::vector<Possible>& possible) const;

  const std::string name_;
  std::mt19937_64 random_;
  std::vector<std::string> names_;
  std::vector<Key> keys_;
  const int shards_;
  std::vector<std::pair<int64_t, std::vector<int>>> spanning_;  // Commands, and their shards.
  int64_t sent_ = 0;
  int64_t replied_ = 0;
  int64_t must_keep_ = 0;
  uint64_t values_ = 0;  // So that each is unlike any other.
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_OWNED_KEYS_H_
