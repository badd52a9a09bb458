// Node is a primary or a replica under test: a real process on ports that the kernel chose.
//
//   Node primary = Node::Primary({"--shards=2"});
//   Node replica = Node::Replica(primary, {"--shards=4"});
//   ASSERT_TRUE(primary.AwaitReady() && replica.AwaitReady());
//
// The test's target lists //server:primary and //server:replica in `data`.

#ifndef TIDEMARK_INTEGRATION_HARNESS_NODE_H_
#define TIDEMARK_INTEGRATION_HARNESS_NODE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "integration/harness/process.h"
#include "integration/harness/ready_line.h"
#include "integration/harness/redis_client.h"

namespace tidemark::integration {

class Node {
 public:
  using Flags = std::vector<std::string>;

  // Starts it and returns at once.
  static Node Primary(const Flags& flags);
  // A primary that kills itself, or whose disk fails, where its environment says: see
  // integration/crashing_primary.cc, which the target lists in `data`. Each of `environment` is
  // NAME=VALUE.
  static Node CrashingPrimary(const Flags& flags, std::vector<std::string> environment = {});
  // Likewise, a replica of `primary`, which must be ready.
  static Node CrashingReplica(const Node& primary, const Flags& flags,
                              std::vector<std::string> environment = {});
  // Follows `primary`, which must be ready.
  static Node Replica(const Node& primary, const Flags& flags);
  // Follows who is at that port, a proxy for example.
  static Node ReplicaOf(int replication_port, const Flags& flags) {
    return ReplicaOf("127.0.0.1", replication_port, flags);
  }
  static Node ReplicaOf(const std::string& host, int replication_port, const Flags& flags);

  // True once the ready line is there; a failure of the test, with what is there instead, if the
  // process ends first, prints something else, or says nothing for `patience`.
  bool AwaitReady(Duration patience = kPatience);

  // As AwaitReady, but an end by SIGKILL before that is no failure: it returns false.
  bool AwaitReadyOrKilled(Duration patience = kPatience);

  // Kills it as kill -9 does.
  void Kill();
  // Stops it as SIGTERM does; a failure of the test if its end is not clean.
  void Stop();
  // Starts it again after its end, on the ports that it had.
  void Restart();
  // Likewise, with other flags.
  void Restart(const Flags& flags) {
    flags_ = flags;
    Restart();
  }

  // Of its next start.
  void set_environment(std::vector<std::string> environment) {
    environment_ = std::move(environment);
  }

  // Requires: it was ready once.
  int port() const { return ready_.port; }
  int replication_port() const { return ready_.replication_port.value_or(0); }
  int shards() const { return ready_.shards; }

  RedisClient Connect() const { return RedisClient(port()); }
  Process& process() { return *process_; }
  const Process& process() const { return *process_; }

 private:
  Node(std::string program, bool opens_replication_port, Flags flags,
       std::vector<std::string> environment = {})
      : program_(std::move(program)),
        opens_replication_port_(opens_replication_port),
        flags_(std::move(flags)),
        environment_(std::move(environment)) {
    Start();
  }
  void Start();

  std::string program_;
  bool opens_replication_port_;
  Flags flags_;
  std::vector<std::string> environment_;
  ReadyLine ready_;  // Zeros until it was ready once.
  std::unique_ptr<Process> process_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_NODE_H_
