// RedisClient is a blocking RESP2 client (hiredis) for tests: replies are values, and nothing waits
// longer than its deadline.
//
//   RedisClient client(node.port());
//   EXPECT_EQ(client.Do({"SET", "k", "v"}), Reply::Status("OK"));
//   for (int i = 0; i < 100; ++i) client.Queue({"INCR", "n"});
//   EXPECT_EQ(client.Flush().back(), Reply::Integer(100));
//
// Threading: one thread.

#ifndef TIDEMARK_INTEGRATION_HARNESS_REDIS_CLIENT_H_
#define TIDEMARK_INTEGRATION_HARNESS_REDIS_CLIENT_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "integration/harness/eventually.h"

struct redisContext;

namespace tidemark::integration {

struct Reply {
  // kLost: no reply came; `text` says why. The connection is of no more use.
  enum class Type { kLost, kStatus, kError, kString, kInteger, kNil, kArray };

  static Reply Status(std::string text) { return {.type = Type::kStatus, .text = std::move(text)}; }
  static Reply Error(std::string text) { return {.type = Type::kError, .text = std::move(text)}; }
  static Reply String(std::string text) { return {.type = Type::kString, .text = std::move(text)}; }
  static Reply Lost(std::string text) { return {.type = Type::kLost, .text = std::move(text)}; }
  static Reply Integer(int64_t integer) { return {.type = Type::kInteger, .integer = integer}; }
  static Reply Nil() { return {.type = Type::kNil}; }
  static Reply Array(std::vector<Reply> elements) {
    return {.type = Type::kArray, .elements = std::move(elements)};
  }

  // The value of `key` in a map, which RESP2 sends as an array of keys and values; null if there is
  // none.
  const Reply* Find(std::string_view key) const;
  bool is_error() const { return type == Type::kError || type == Type::kLost; }
  friend bool operator==(const Reply&, const Reply&) = default;

  Type type = Type::kLost;
  std::string text = {};
  int64_t integer = 0;
  std::vector<Reply> elements = {};
};
void PrintTo(const Reply& reply, std::ostream* out);

class RedisClient {
 public:
  // Connects to 127.0.0.1. A connection that fails shows in the replies.
  explicit RedisClient(int port, Duration deadline = kPatience);
  RedisClient(RedisClient&&) noexcept;
  RedisClient& operator=(RedisClient&&) noexcept;
  ~RedisClient();

  Reply Do(const std::vector<std::string>& arguments);

  // Puts a command behind those that wait for Flush().
  void Queue(const std::vector<std::string>& arguments);
  // Sends what waits and reads all replies; replies[i] answers the i-th command queued.
  std::vector<Reply> Flush();

 private:
  struct Close {
    void operator()(redisContext* context) const;
  };
  Reply Read();

  std::unique_ptr<redisContext, Close> context_;
  size_t queued_ = 0;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_REDIS_CLIENT_H_
