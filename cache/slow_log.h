// SlowLog remembers the latest commands of one shard's sessions that took longer than a threshold.
// A command that ran on another shard, or on several, is logged by the shard of its session, which
// knows the client.
//
// Threading: confined to the shard's thread. SLOWLOG GET copies entries() of every shard and merges
// them by time.

#ifndef TIDEMARK_CACHE_SLOW_LOG_H_
#define TIDEMARK_CACHE_SLOW_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "cache/command.h"

namespace tidemark::cache {

class SlowLog {
 public:
  static constexpr size_t kMaxArgs = 32;
  static constexpr size_t kMaxArgBytes = 128;
  static constexpr int kShardShift = 48;  // An id is the shard, then its own count from 0.

  struct Entry {
    uint64_t id = 0;
    int64_t unix_seconds = 0;
    int64_t duration_us = 0;
    std::vector<std::string> args;  // Shortened as Redis shortens them.
    std::string client_address;
    std::string client_name;
  };

  explicit SlowLog(ShardId shard);

  // -1: nothing is logged. 0: everything. Else what takes longer than this.
  void set_threshold_us(int64_t threshold_us);
  int64_t threshold_us() const { return threshold_us_; }
  // Entries kept; the oldest goes first.
  void set_max_length(size_t max_length);
  size_t max_length() const { return max_length_; }

  // One comparison: on the path of every command.
  bool Wants(uint64_t nanos) const { return nanos >= wanted_nanos_; }
  void Add(Args args, uint64_t nanos, int64_t now_ms, std::string_view client_address,
           std::string_view client_name);

  const std::deque<Entry>& entries() const { return entries_; }  // Newest first.
  void Clear() { entries_.clear(); }

 private:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  int64_t threshold_us_ = 10'000;
  uint64_t wanted_nanos_ = 0;
  size_t max_length_ = 128;
  uint64_t next_id_;
  std::deque<Entry> entries_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SLOW_LOG_H_
