// What the engine's tests share: a started engine, commands as one line of text, a sink that writes
// down what it is told.

#ifndef TIDEMARK_CACHE_ENGINE_TEST_UTIL_H_
#define TIDEMARK_CACHE_ENGINE_TEST_UTIL_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/key_hash.h"
#include "cache/client.h"
#include "cache/engine.h"
#include "cache/session.h"
#include "gtest/gtest.h"

namespace tidemark::cache {

inline constexpr std::chrono::seconds kTestDeadline(60);

inline std::vector<std::string> Words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// Runs `work` on a shard's thread and returns its result.
template <typename Work>
auto OnShard(Engine& engine, ShardId id, Work work) {
  using Result = decltype(work(engine.shard(id)));
  std::promise<Result> promise;
  engine.Post(id, [&](Shard& shard) {
    if constexpr (std::is_void_v<Result>) {
      work(shard);
      promise.set_value();
    } else {
      promise.set_value(work(shard));
    }
  });
  std::future<Result> result = promise.get_future();
  EXPECT_EQ(result.wait_for(kTestDeadline), std::future_status::ready);
  return result.get();
}

// The nth key of a shard.
inline std::string KeyOn(const Engine& engine, int shard, int n = 0) {
  for (int i = 0;; ++i) {
    const std::string key = "key:" + std::to_string(i);
    if (engine.OwnerOf(key, KeyHash(key)).value() == shard && n-- == 0) return key;
  }
}

// A connection: a session on a shard whose replies are collected. Used on the shard's thread.
class TestSession final : public SessionObserver {
 public:
  explicit TestSession(Shard& shard)
      : builder_([this](Value value) { replies.push_back(std::move(value)); }),
        session(shard, builder_, *this),
        shard_(shard) {}

  // Sends as soon as the session takes it.
  void Send(const std::string& line) {
    waiting_.push_back(Words(line));
    SendWaiting();
  }
  void OnReplies() override {
    ++notifications;
    SendWaiting();
    if (on_replies) on_replies();
  }
  ReplyBuilder& builder() { return builder_; }

  std::vector<Value> replies;
  int notifications = 0;
  std::function<void()> on_replies;

 private:
  void SendWaiting() {
    while (!waiting_.empty() && session.ready()) {
      const std::vector<std::string> words = std::move(waiting_.front());
      waiting_.erase(waiting_.begin());
      const std::vector<std::string_view> args(words.begin(), words.end());
      const CommandSpec* spec = shard_.engine().commands().Find(args[0]);
      const auto first = static_cast<size_t>(spec->keys.first);
      session.Dispatch(*spec, args, first > 0 ? KeyHash(args[first]) : 0);
    }
  }

  ValueBuilder builder_;
  std::vector<std::vector<std::string>> waiting_;

 public:
  Session session;

 private:
  Shard& shard_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_ENGINE_TEST_UTIL_H_
