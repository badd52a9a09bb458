// What share of its requests does a cache-aside client find in a server whose memory is short?
//
//   cache_aside PORT TRACE KEYS REQUESTS SHARE_PERCENT [TEXT...]
//
// Gives the server `maxmemory`: what it uses now, which should be empty, and so many percent of the
// data, which is the bytes of all keys and values of the trace. Then asks for the trace's keys
// (tools/traces/trace.h; "words" reads the texts, and KEYS and REQUESTS do not matter to it), 64 at
// a time, and sets those that were missing. Prints the percentage of hits, how many keys the server
// held in the end, and what share of all keys that was.
//
// Keys have 16 bytes, values 16 to 512, as many of each length; the same key always the same.

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/traces/random.h"
#include "tools/traces/trace.h"
#include "tools/traces/word_trace.h"

namespace tidemark::traces {
namespace {

constexpr size_t kBatch = 64;
constexpr size_t kKeyBytes = 16;
constexpr size_t kMinValueBytes = 16;
constexpr size_t kMaxValueBytes = 512;

struct Trace {
  uint64_t keys = 0;
  std::vector<KeyId> requests;
};

size_t ValueBytes(KeyId key) {
  return kMinValueBytes + Random(key).Below(kMaxValueBytes - kMinValueBytes + 1);
}

using Reply = std::unique_ptr<redisReply, void (*)(void*)>;

class Client {
 public:
  explicit Client(int port) : context_(redisConnect("127.0.0.1", port), &redisFree) {}

  bool ok() const { return context_ != nullptr && context_->err == 0; }

  void Send(std::span<const std::string_view> words) {
    std::vector<const char*> data;
    std::vector<size_t> sizes;
    for (const std::string_view word : words) {
      data.push_back(word.data());
      sizes.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), data.data(),
                           sizes.data());
  }
  // Null if the connection broke or the server refuses, which is then on stderr.
  Reply Receive() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) reply = nullptr;
    Reply result(static_cast<redisReply*>(reply), &freeReplyObject);
    if (result == nullptr) {
      fmt::print(stderr, "cache_aside: {}\n", context_->errstr);
    } else if (result->type == REDIS_REPLY_ERROR) {
      fmt::print(stderr, "cache_aside: {}\n", result->str);
      result.reset();
    }
    return result;
  }
  Reply Call(std::initializer_list<std::string_view> words) {
    Send(std::span(words.begin(), words.size()));
    return Receive();
  }

 private:
  const std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

std::optional<Trace> Load(std::string_view name, uint64_t keys, uint64_t requests,
                          std::span<char* const> texts) {
  if (name == "words") {
    WordTrace words;
    for (const char* path : texts) {
      std::ifstream file(path, std::ios::binary);
      words.Read(std::string(std::istreambuf_iterator<char>(file), {}));
    }
    if (words.keys() == 0) return std::nullopt;
    return Trace{.keys = words.keys(), .requests = words.requests()};
  }
  const auto kind = TraceKindNamed(name);
  if (!kind.has_value() || keys < 20) return std::nullopt;
  const auto source = MakeSource({.kind = *kind, .keys = keys, .seed = 1});
  return Trace{.keys = keys, .requests = Take(*source, requests)};
}

// False if the server does not answer or does not take it.
bool LimitMemory(Client& client, uint64_t more_bytes) {
  const Reply info = client.Call({"INFO", "memory"});
  if (info == nullptr) return false;
  const std::string_view text(info->str, info->len);
  constexpr std::string_view kField = "used_memory:";
  const size_t field = text.find(kField);
  if (field == std::string_view::npos) return false;
  const uint64_t used = std::strtoull(text.data() + field + kField.size(), nullptr, 10);
  return client.Call({"CONFIG", "SET", "maxmemory", std::to_string(used + more_bytes)}) != nullptr;
}

// The number of hits; none if the server failed.
std::optional<uint64_t> Drive(Client& client, std::span<const KeyId> trace) {
  const std::string payload(kMaxValueBytes, 'x');
  uint64_t hits = 0;
  for (size_t first = 0; first < trace.size(); first += kBatch) {
    const auto batch = trace.subspan(first, std::min(kBatch, trace.size() - first));
    for (const KeyId key : batch) {
      const std::string name = fmt::format("key:{:012}", key);
      const std::string_view words[] = {"GET", name};
      client.Send(words);
    }
    std::vector<KeyId> missed;
    for (const KeyId key : batch) {
      const Reply reply = client.Receive();
      if (reply == nullptr) return std::nullopt;
      if (reply->type == REDIS_REPLY_STRING) {
        ++hits;
      } else {
        missed.push_back(key);
      }
    }
    for (const KeyId key : missed) {
      const std::string name = fmt::format("key:{:012}", key);
      const std::string_view words[] = {"SET", name,
                                        std::string_view(payload).substr(0, ValueBytes(key))};
      client.Send(words);
    }
    for (size_t i = 0; i < missed.size(); ++i) {
      if (client.Receive() == nullptr) return std::nullopt;
    }
  }
  return hits;
}

int Run(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "usage: cache_aside PORT TRACE KEYS REQUESTS SHARE_PERCENT [TEXT...]\n");
    return 64;
  }
  const auto trace =
      Load(argv[2], std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10),
           std::span(argv + 6, static_cast<size_t>(argc - 6)));
  if (!trace.has_value()) {
    fmt::print(stderr, "cache_aside: no trace '{}'\n", argv[2]);
    return 64;
  }
  uint64_t data_bytes = trace->keys * kKeyBytes;
  for (KeyId key = 0; key < trace->keys; ++key) data_bytes += ValueBytes(key);

  Client client(std::atoi(argv[1]));
  if (!client.ok() ||
      !LimitMemory(client, data_bytes * std::strtoull(argv[5], nullptr, 10) / 100)) {
    return 1;
  }
  const std::optional<uint64_t> hits = Drive(client, trace->requests);
  const Reply size = hits.has_value() ? client.Call({"DBSIZE"}) : Reply(nullptr, &freeReplyObject);
  if (size == nullptr) return 1;
  fmt::print("{:.2f} {} {:.1f}\n",
             100 * static_cast<double>(*hits) / static_cast<double>(trace->requests.size()),
             size->integer,
             100 * static_cast<double>(size->integer) / static_cast<double>(trace->keys));
  return 0;
}

}  // namespace
}  // namespace tidemark::traces

int main(int argc, char** argv) { return tidemark::traces::Run(argc, argv); }
