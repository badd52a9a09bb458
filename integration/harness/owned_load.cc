#include "integration/harness/owned_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

namespace tidemark::integration {
namespace {

int64_t UnixMillis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<int64_t> Integers(const Reply& map, std::string_view key) {
  std::vector<int64_t> integers;
  if (const Reply* found = map.Find(key); found != nullptr) {
    for (const Reply& element : found->elements) integers.push_back(element.integer);
  }
  return integers;
}

bool Reached(const std::vector<int64_t>& durable, const std::vector<int64_t>& target) {
  if (durable.size() != target.size()) return false;
  for (size_t i = 0; i < target.size(); ++i) {
    if (durable[i] < target[i]) return false;
  }
  return true;
}

}  // namespace

OwnedLoad::OwnedLoad(const Options& options) : options_(options) {
  for (int i = 0; i < options.connections; ++i) {
    writers_.push_back(std::make_unique<Writer>(
        Writer{.keys = OwnedKeys(fmt::format("owner{}", i), options.shards,
                                 options.seed * 100 + static_cast<uint64_t>(i))}));
  }
}

std::string OwnedLoad::Run(int port, int64_t commands,
                           const std::function<void(int64_t)>& on_progress) {
  replied_ = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < writers_.size(); ++i) {
    threads.emplace_back([=, this] { Write(i, port, commands, on_progress); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& writer : writers_) {
    if (!writer->fault.empty()) return writer->fault;
  }
  return "";
}

void OwnedLoad::Write(size_t index, int port, int64_t commands,
                      const std::function<void(int64_t)>& on_progress) {
  Writer& writer = *writers_[index];
  writer.assigned.clear();
  RedisClient client(port);
  // Half of the connections wait for each reply; the others have several commands under way.
  const int depth = index % 2 == 0 ? 1 : 6;
  for (int turn = 1; replied_.load() < commands; ++turn) {
    if (!WriteSome(writer, client, depth)) return;
    if (turn % 20 == 0 && !AskDurable(writer, client)) return;
    if (index == 0 && turn % 20 == 0 && client.Do({"BGSAVE"}).type == Reply::Type::kLost) return;
    if (index == 0 && turn % 211 == 0 && !FlushAll(writer, client)) return;
    if (on_progress) on_progress(replied_.load());
  }
}

bool OwnedLoad::Judge(Writer& writer, const Reply& reply) {
  if (reply.type == Reply::Type::kLost) return false;
  if (reply.is_error()) {
    writer.fault = "a command was refused: " + reply.text;
    return false;
  }
  return true;
}

bool OwnedLoad::WriteSome(Writer& writer, RedisClient& client, int depth) {
  const std::shared_lock held(under_way_);
  for (int i = 0; i < depth; ++i) client.Queue(writer.keys.Next(UnixMillis()));
  for (const Reply& reply : client.Flush()) {
    if (!Judge(writer, reply)) return false;
    writer.keys.OnReplied();
    replied_.fetch_add(1);
    if (options_.keeps_replied) writer.keys.MustKeep(writer.keys.replied());
  }
  return true;
}

bool OwnedLoad::FlushAll(Writer& writer, RedisClient& client) {
  const std::unique_lock alone(under_way_);
  for (const auto& each : writers_) each->keys.FlushAll();
  if (!Judge(writer, client.Do({"FLUSHALL"}))) return false;
  for (const auto& each : writers_) {
    each->keys.OnReplied();
    if (options_.keeps_replied) each->keys.MustKeep(each->keys.replied());
  }
  return true;
}

bool OwnedLoad::AskDurable(Writer& writer, RedisClient& client) {
  const std::shared_lock held(under_way_);
  const Reply reply = client.Do({"TIDE", "WATERMARKS"});
  if (!Judge(writer, reply)) return false;
  if (!writer.assigned.empty()) {
    if (!Reached(Integers(reply, "durable"), writer.assigned)) return true;
    writer.keys.MustKeep(writer.replied_then);
  }
  writer.assigned = Integers(reply, "assigned");
  writer.replied_then = writer.keys.replied();
  return true;
}

std::string OwnedLoad::Check(int port) {
  RedisClient client(port);
  std::vector<std::vector<OwnedKeys::State>> found;
  for (const auto& writer : writers_) {
    for (const std::string& key : writer->keys.keys()) {
      client.Queue({"GET", key});
      client.Queue({"PEXPIRETIME", key});
    }
    const std::vector<Reply> replies = client.Flush();
    std::vector<OwnedKeys::State>& states = found.emplace_back();
    for (size_t i = 0; i < replies.size(); i += 2) {
      if (replies[i].is_error() || replies[i + 1].is_error()) return "lost: " + replies[i].text;
      OwnedKeys::State& state = states.emplace_back();
      if (replies[i].type == Reply::Type::kString) state.value = replies[i].text;
      state.expire_at_ms = std::max<int64_t>(0, replies[i + 1].integer);
    }
  }
  for (size_t i = 0; i < writers_.size(); ++i) {
    if (std::string fault = writers_[i]->keys.Settle(found[i]); !fault.empty()) return fault;
  }
  return "";
}

}  // namespace tidemark::integration
