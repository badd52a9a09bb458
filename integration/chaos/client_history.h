// ClientHistory knows what the clients of a test did to its keys, and judges what a node shows.
//
// Three kinds of key, all of which count upwards, so that one number says what a read may show:
//   register  one client sets it to 1, 2, 3 and so on
//   counter   any client increments it
//   pair      one client sets two keys of different shards to the same number, in one MSET
//
// A read begun when `acked` was replied must show at least that, and never more than was attempted
// when it ended:
//
//   const int64_t number = history.Attempt(key);      // Before the command is sent.
//   history.OnAcked(key, number);                     // After its reply. Without one: nothing.
//
//   const int64_t floor = history.acked(key);         // Before the read is sent.
//   EXPECT_EQ(history.Judge(key, floor, shown), "");
//
// After a crash of the primary, when nothing is under way: Settle() takes what the primary holds
// now as what is true, if the policy allows that. What was attempted above it, and is gone, must
// never be seen again: no replica may bring it back.
//
// Threading: thread-safe.

#ifndef TIDEMARK_INTEGRATION_CHAOS_CLIENT_HISTORY_H_
#define TIDEMARK_INTEGRATION_CHAOS_CLIENT_HISTORY_H_

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace tidemark::integration {

class ClientHistory {
 public:
  // What a reply promises: whether the write survives a kill of the primary.
  enum class Promise { kWhileThePrimaryLives, kSurvivesThePrimary };
  enum class Kind { kRegister, kCounter };

  explicit ClientHistory(Promise promise) : promise_(promise) {}

  // Returns the key's number here. Before any other thread uses this.
  size_t Add(std::string name, Kind kind);
  size_t size() const { return keys_.size(); }
  const std::string& name(size_t key) const { return keys_[key].name; }

  // The register's next value; of a counter, of no meaning.
  int64_t Attempt(size_t key);
  // `number`: the value of a register; ignored of a counter.
  void OnAcked(size_t key, int64_t number);

  int64_t acked(size_t key) const;
  // Empty if a read that was begun at `floor` may show `shown` (0: no such key), else what is
  // wrong.
  std::string Judge(size_t key, int64_t floor, int64_t shown) const;
  std::string Settle(size_t key, int64_t shown);

  int64_t total_acked() const;

 private:
  struct Key {
    std::string name;
    Kind kind = Kind::kRegister;
    int64_t acked = 0;
    int64_t attempted = 0;
    // Above `settled` and up to `void_through`: was lost with the primary.
    int64_t settled = 0;
    int64_t void_through = 0;
    int64_t acked_in_all = 0;
  };
  std::string JudgeLocked(const Key& key, int64_t floor, int64_t shown) const;

  const Promise promise_;
  mutable std::mutex mutex_;
  std::vector<Key> keys_;  // Guarded by mutex_, but for the names.
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_CHAOS_CLIENT_HISTORY_H_
