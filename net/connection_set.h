// ConnectionSet owns the client connections of one IoLoop: it names them, finds them, counts for
// them, and closes those that idle or do not read.
//
// Threading: confined to the loop's thread; Counters may be read by any.

#ifndef TIDEMARK_NET_CONNECTION_SET_H_
#define TIDEMARK_NET_CONNECTION_SET_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "net/client_connection.h"

namespace tidemark::net {

// How many clients the whole process may have (maxclients), and the next client's id. Thread-safe.
class ConnectionLimit {
 public:
  explicit ConnectionLimit(int64_t max) : max_(max) {}

  // Takes a place. False if there is none.
  bool TryAcquire();
  void Release() { count_.fetch_sub(1, std::memory_order_relaxed); }

  int64_t count() const { return count_.load(std::memory_order_relaxed); }
  int64_t max() const { return max_.load(std::memory_order_relaxed); }
  // Fewer than there are now: nobody is closed, but nobody new comes in.
  void set_max(int64_t max) { max_.store(max, std::memory_order_relaxed); }
  // Ids ascend over all threads, from 1.
  uint64_t NextId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> count_{0};
  std::atomic<int64_t> max_;
  std::atomic<uint64_t> next_id_{1};
};

// A counter that one thread adds to and any thread reads.
class Counter {
 public:
  void Add(uint64_t n) {
    // Not fetch_add: there is one writer, and this runs for every read and write.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class ConnectionSet {
 public:
  struct Counters {
    Counter bytes_in, bytes_out, reads, writes;
    Counter opened;
    Counter closed_by_output_limit, closed_by_query_buffer_limit, closed_idle, protocol_errors;
  };

  // Both are borrowed and outlive the set.
  ConnectionSet(IoLoop& loop, ConnectionLimit& limit) : loop_(loop), limit_(limit) {}
  // Closes every connection (kShutdown).
  ~ConnectionSet();
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  // Takes over a connected, non-blocking socket that holds a place of the limit, which closing it
  // gives back. Null if the system refuses to watch it: the socket is closed then. Call Start()
  // next.
  ClientConnection* Add(UniqueFd fd);
  // Begins to read. `handler` is borrowed until OnClosed.
  void Start(ClientConnection& connection, ConnectionHandler* handler);

  ClientConnection* Find(uint64_t id);  // Null if there is none, or it has closed.
  size_t size() const { return connections_.size(); }
  // Of those that are open now; `visit` may close any and write to any.
  void ForEach(absl::FunctionRef<void(ClientConnection&)> visit);
  void CloseAll(CloseReason reason);

  // Closes those that idle beyond the timeout or stay beyond a soft limit. About ten times a
  // second.
  void Tick();

  ConnectionSettings& settings() { return settings_; }
  const Counters& counters() const { return counters_; }
  IoLoop& loop() { return loop_; }

 private:
  friend class ClientConnection;

  // The connection has closed: forgets it, and has it destroyed when nobody can still be using it.
  void Retire(ClientConnection& connection);

  IoLoop& loop_;
  ConnectionLimit& limit_;
  ConnectionSettings settings_;
  Counters counters_;
  size_t over_soft_limit_ = 0;  // Connections for which Tick() must watch the time.
  absl::flat_hash_map<uint64_t, std::unique_ptr<ClientConnection>> connections_;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_CONNECTION_SET_H_
