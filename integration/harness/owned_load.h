// OwnedLoad writes to a node from several connections, each with keys of its own (owned_keys.h),
// and says after a crash whether the node kept what it must.
//
//   OwnedLoad load({.shards = 2, .keeps_replied = true});
//   load.Run(node.port(), 1000);          // Or until the node is gone.
//   ... restart ...
//   EXPECT_EQ(load.Check(node.port()), "");
//
// What must be there is what was replied if the node's fsync is `always`; otherwise what was
// replied before `durable` (TIDE WATERMARKS) had reached all that was assigned by then.
//
// Threading: one thread calls; Run() brings one for each connection and joins it.

#ifndef TIDEMARK_INTEGRATION_HARNESS_OWNED_LOAD_H_
#define TIDEMARK_INTEGRATION_HARNESS_OWNED_LOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "integration/harness/owned_keys.h"
#include "integration/harness/redis_client.h"

namespace tidemark::integration {

class OwnedLoad {
 public:
  struct Options {
    int shards = 1;
    bool keeps_replied = false;
    int connections = 4;
    uint64_t seed = 1;
  };
  explicit OwnedLoad(const Options& options);

  // Writes until so many commands were replied or the node is gone. Empty if no reply was an error;
  // else the first. `on_progress` is called now and then, with how many were replied so far, on the
  // threads of the connections.
  std::string Run(int port, int64_t commands, const std::function<void(int64_t)>& on_progress = {});

  // By the latest Run(); less than it was to write if the node went away.
  int64_t replied() const { return replied_.load(); }

  // Reads everything back. Empty if it is as it may be; "lost: ..." if the node went away meanwhile
  // (nothing is settled then); else what is wrong.
  std::string Check(int port);

 private:
  struct Writer {
    OwnedKeys keys;
    std::string fault = {};
    // What will have to be there when durable reaches `assigned`.
    std::vector<int64_t> assigned = {};
    int64_t replied_then = 0;
  };
  void Write(size_t index, int port, int64_t commands,
             const std::function<void(int64_t)>& on_progress);
  // Each false when the node is gone or the writer has a fault.
  bool WriteSome(Writer& writer, RedisClient& client, int depth);
  bool FlushAll(Writer& writer, RedisClient& client);
  bool AskDurable(Writer& writer, RedisClient& client);
  bool Judge(Writer& writer, const Reply& reply);

  const Options options_;
  std::vector<std::unique_ptr<Writer>> writers_;
  // Held shared while a connection's commands are under way; FLUSHALL holds it alone.
  std::shared_mutex under_way_;
  std::atomic<int64_t> replied_{0};
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_OWNED_LOAD_H_
