// ChaosClients write to a primary and read from its replicas while everything breaks, and judge by
// a ClientHistory what they see.
//
//   ChaosClients clients({.primary_port = p, .replica_ports = {a, b}, .promise = ...});
//   ...
//   primary.Kill();                    // They lose their connections, and come back by themselves.
//   clients.Pause();                   // Nothing is under way.
//   primary.Restart();
//   EXPECT_EQ(clients.Settle(), "");
//   clients.Resume();
//   ...
//   EXPECT_EQ(clients.Stop(), "");
//
// A replica is held to what was acknowledged only once it says that it has applied what the primary
// had by then, in the same history (TIDE WATERMARKS): a late replica is no fault. Groups of keys
// that are set together are equal on every node at every moment.
//
// Threading: one thread calls. Each writer, and each replica's reader, has a thread of its own.

#ifndef TIDEMARK_INTEGRATION_CHAOS_CHAOS_CLIENTS_H_
#define TIDEMARK_INTEGRATION_CHAOS_CHAOS_CLIENTS_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "integration/chaos/client_history.h"
#include "integration/harness/redis_client.h"

namespace tidemark::integration {

class ChaosClients {
 public:
  struct Options {
    int primary_port = 0;
    std::vector<int> replica_ports;
    ClientHistory::Promise promise = ClientHistory::Promise::kWhileThePrimaryLives;
    uint64_t seed = 1;
    int writers = 3;
  };
  explicit ChaosClients(const Options& options);
  ~ChaosClients();

  // Returns when no command is under way. The nodes must answer, or be gone: not stand still.
  void Pause();
  void Resume();
  // What the primary holds is now what is true. Paused. Empty, or what is wrong with it.
  std::string Settle();
  // Empty if nothing was wrong so far; else what was wrong first.
  std::string fault() const;
  // Ends them; as fault().
  std::string Stop();

  int64_t acked() const { return history_.total_acked(); }
  // Reads of replicas that were held to what was acknowledged.
  int64_t verified_reads() const;

 private:
  // A connection that is made again when it was lost.
  struct Link {
    int port;
    std::optional<RedisClient> client = {};
    Reply Do(const std::vector<std::string>& command);
  };
  void Write(int writer);
  void ReadReplica(size_t replica);
  void VerifyOneRead(Link& primary, Link& replica, std::mt19937_64& random);
  void CheckGroup(Link& node, std::mt19937_64& random);
  // False once it is over; parks while paused, and waits a little if `wait`.
  bool Go(bool wait);
  void Fail(std::string fault);
  int64_t settled() const;
  // Whether a reply came that says something; unexpected errors are faults.
  bool Answered(const Reply& reply);

  const Options options_;
  ClientHistory history_;
  std::vector<size_t> registers_, groups_, counters_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  bool paused_ = false;
  bool stopping_ = false;
  size_t parked_ = 0;
  int64_t settled_ = 0;  // How often.
  int64_t verified_reads_ = 0;
  std::string fault_;

  std::vector<std::thread> threads_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_CHAOS_CHAOS_CLIENTS_H_
