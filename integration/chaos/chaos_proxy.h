// ChaosProxy stands between two processes of a test and is the network that the test wants: each
// connection that comes to its port is one to the target's, carried by two ChaosPipes.
//
//   ChaosProxy proxy(primary.replication_port());
//   ... a replica with --primary=127.0.0.1:<proxy.port()> ...
//   proxy.Set(ChaosProxy::kFromTarget, {.delay_ms = 20});
//   proxy.Cut();
//   proxy.Heal();
//
// Where a pipe stands still, neither end hears of the other's end, as behind a switch that lost its
// power: the connection is half-open until Heal().
//
// Threading: thread-safe. A thread of its own carries the bytes.

#ifndef TIDEMARK_INTEGRATION_CHAOS_CHAOS_PROXY_H_
#define TIDEMARK_INTEGRATION_CHAOS_CHAOS_PROXY_H_

#include <array>
#include <cstdint>
#include <list>
#include <mutex>
#include <thread>

#include "integration/chaos/chaos_pipe.h"

namespace tidemark::integration {

class ChaosProxy {
 public:
  enum Direction { kToTarget, kFromTarget };

  // `target_port` of 127.0.0.1.
  explicit ChaosProxy(int target_port);
  ~ChaosProxy();
  ChaosProxy(const ChaosProxy&) = delete;
  ChaosProxy& operator=(const ChaosProxy&) = delete;

  int port() const { return port_; }

  // Of every connection there is, and of those to come.
  void Set(Direction direction, const PipeFaults& faults);
  // Ends every connection.
  void Cut();
  // Ends new ones at once.
  void Refuse();
  // No faults any more.
  void Heal();

  uint64_t connections() const;  // So far.
  uint64_t harms() const;        // Cuts within, bits flipped, and so on, so far.

 private:
  struct Connection {
    // By direction: where its bytes come from; the other's is where they go.
    std::array<int, 2> sockets;
    std::array<ChaosPipe, 2> pipes;
    std::array<bool, 2> ended = {};  // No more comes.
    bool over = false;
    bool reset = false;  // It does not end in an orderly way.
  };

  void Run();
  void Accept();
  void Serve(Connection& connection, int64_t now_ms);
  void Carry(Connection& connection, int direction, int64_t now_ms);
  void Close(const Connection& connection);
  void Wake();

  const int target_port_;
  int listener_ = -1;
  int port_ = 0;
  int wake_ = -1;  // An eventfd.

  mutable std::mutex mutex_;  // Guards what follows; not held while the thread waits.
  std::list<Connection> connections_;
  std::array<PipeFaults, 2> faults_;
  bool refuses_ = false;
  bool stopping_ = false;
  uint64_t accepted_ = 0;
  uint64_t past_harms_ = 0;

  std::thread thread_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_CHAOS_CHAOS_PROXY_H_
