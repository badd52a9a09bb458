// FeedLog reads what tideexport printed and says whether it is a true change feed: each change once
// and in order, without a hole, by (history, shard, sequence). It also keeps what the changes
// amount to.
//
//   FeedLog feed(2);
//   for (const std::string& line : lines) ASSERT_EQ(feed.Take(line), "");
//   EXPECT_EQ(feed.Holds(history, shard, sequence, change), true);
//
// Feeds that begin with sequence 1 of every shard, of a node whose number of shards never changes.
//
// Threading: one thread.

#ifndef TIDEMARK_INTEGRATION_HARNESS_FEED_LOG_H_
#define TIDEMARK_INTEGRATION_HARNESS_FEED_LOG_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace tidemark::integration {

class FeedLog {
 public:
  struct Value {
    std::string bytes;
    int64_t expire_at_ms = 0;  // 0: never.
    friend bool operator==(const Value&, const Value&) = default;
  };

  explicit FeedLog(int shards);

  // One line, without its newline. Empty, or what is wrong with it.
  std::string Take(std::string_view line);

  // As Take(), but of a line of `tidectl log dump`: whether the feed has the same change. Changes
  // that the log calls void are in no feed, and must not be.
  std::string Compare(std::string_view dumped) const;

  int64_t records() const { return static_cast<int64_t>(seen_.size()); }
  const std::string& history() const { return history_; }
  size_t histories() const { return histories_.size(); }
  const std::vector<uint64_t>& positions() const { return positions_; }
  // What a node that made these changes, and no others, holds.
  std::map<std::string, Value> Contents() const;

 private:
  using Place = std::tuple<std::string, uint64_t, uint64_t>;  // History, shard, sequence.

  std::string history_;  // Empty: nothing was taken.
  std::set<std::string> histories_;
  std::vector<uint64_t> positions_;
  std::map<Place, size_t> seen_;  // The change's hash.
  std::vector<std::map<std::string, Value>> keys_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_FEED_LOG_H_
