// Client calls the engine from a thread of the embedding program:
//
//   Engine engine({.shard_count = 2});
//   engine.Start();
//   Client client(engine);
//   client.Call({"SET", "greeting", "hello"});
//   Value value = client.Call({"GET", "greeting"});
//
// A command goes straight to the shard that owns its first key. Only the data commands are known
// here (docs/commands.md); others are answered with an error, as by a server that lacks them.
//
// Threading: safe for any thread but the shards' own, from which Call would wait for itself.

#ifndef TIDEMARK_CACHE_CLIENT_H_
#define TIDEMARK_CACHE_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/engine.h"
#include "cache/value.h"

namespace tidemark::cache {

class Client {
 public:
  // The engine outlives the client.
  explicit Client(Engine& engine);
  // Calls that are under way are answered with an error.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Waits for the answer. An engine that has not started yet answers once it has; one that has
  // stopped answers with an error.
  Value Call(std::vector<std::string> args);

  // Returns at once. `done` gets the answer, once, on some shard's thread (on the caller's, if the
  // command is refused). Calls with the same first key run in the order in which they were made;
  // others in any.
  using Callback = std::function<void(Value)>;
  void CallAsync(std::vector<std::string> args, Callback done);

 private:
  class Port;

  Engine& engine_;
  std::vector<std::unique_ptr<Port>> ports_;  // By shard; each is used on its shard's thread.
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_CLIENT_H_
