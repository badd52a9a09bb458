// ErrorCounts counts error replies by their first word (INFO errorstats). The words are ours,
// except in what a client makes us repeat, so their number is bounded.

#ifndef TIDEMARK_SERVER_ERROR_COUNTS_H_
#define TIDEMARK_SERVER_ERROR_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace tidemark::server {

// Threading: its shard's.
class ErrorCounts {
 public:
  static constexpr size_t kMaxWords = 128;

  // `text` is a whole error reply, without '-'.
  void Count(std::string_view text) {
    ++total_;
    const std::string_view word = text.substr(0, text.find(' '));
    if (auto it = by_word_.find(word); it != by_word_.end()) {
      ++it->second;
    } else if (by_word_.size() < kMaxWords) {
      by_word_.emplace(word, 1);
    }
  }
  void Reset() {
    total_ = 0;
    by_word_.clear();
  }

  uint64_t total() const { return total_; }
  const std::map<std::string, uint64_t, std::less<>>& by_word() const { return by_word_; }

 private:
  uint64_t total_ = 0;
  std::map<std::string, uint64_t, std::less<>> by_word_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_ERROR_COUNTS_H_
