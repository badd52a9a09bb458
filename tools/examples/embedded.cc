// Tidemark's engine inside a program, without sockets: two shards, blocking calls, one asynchronous
// call.
//
//   bazel run //tools/examples:embedded

#include <cstdio>
#include <future>
#include <string>

#include "cache/client.h"
#include "cache/engine.h"

int main() {
  using tidemark::cache::Client;
  using tidemark::cache::Engine;
  using tidemark::cache::Value;

  Engine::Options options;
  options.shard_count = 2;
  Engine engine(std::move(options));
  engine.Start();

  Client client(engine);
  const auto show = [](const char* what, const Value& value) {
    std::printf("%s -> %s\n", what, ToString(value).c_str());
  };
  show("SET greeting hello", client.Call({"SET", "greeting", "hello"}));
  show("GET greeting", client.Call({"GET", "greeting"}));
  // Whatever the shards of these keys: both change at once, or neither.
  show("MSET red 1 green 2 blue 3", client.Call({"MSET", "red", "1", "green", "2", "blue", "3"}));
  show("MGET red green blue grey", client.Call({"MGET", "red", "green", "blue", "grey"}));
  show("INCR greeting", client.Call({"INCR", "greeting"}));

  std::promise<Value> visits;
  client.CallAsync({"INCR", "visits"}, [&](Value value) { visits.set_value(std::move(value)); });
  show("INCR visits", visits.get_future().get());

  engine.Stop();
}
