// IoLoop is one shard thread's event loop: its clients' sockets, whatever else it gives to Asio
// (listeners, timers, links), a wake-up from other threads, and the buffers that its connections
// share.
//
// The io_context runs without locks (ASIO_CONCURRENCY_HINT_UNSAFE). Client sockets are not in it
// one by one but in an epoll set of the loop's own, which Asio watches as one descriptor. Asio 1.22
// would cost every request one more system call (a speculative read that finds nothing, or an
// epoll_ctl), and it may read into a buffer long before it says so, which rules out one read buffer
// for all.
//
// A turn:  Poll() or Wait(), then FlushDirty(). Tick() now and then.
//
// Threading: confined to one thread, except Wake().

#ifndef TIDEMARK_NET_IO_LOOP_H_
#define TIDEMARK_NET_IO_LOOP_H_

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "net/chunk_pool.h"
#include "net/resp_parser.h"
#include "net/unique_fd.h"

namespace tidemark::net {

class IoLoop;

// A socket in an IoLoop's set. Every call comes from the loop.
class IoSocket {
 public:
  virtual ~IoSocket() = default;

  // The socket became ready: EPOLLIN, EPOLLOUT and so on, edge-triggered; 0 if called for
  // RunAgain().
  virtual void OnReady(uint32_t events) = 0;
  // Send what there is, without waiting.
  virtual void Flush() = 0;

 private:
  friend class IoLoop;
  bool dirty_ = false;
  bool again_ = false;
  bool retired_ = false;
};

class IoLoop {
 public:
  static constexpr size_t kReadBytes = 64 * 1024;
  // Room before the read buffer, into which a connection puts the beginning of a command that the
  // bytes read continue.
  static constexpr size_t kReadHeadroom = 16 * 1024;

  // `clock` is borrowed. Stops the process if the system gives no epoll set: there is no serving
  // without.
  explicit IoLoop(const Clock& clock = Clock::System());
  // Sockets and listeners of the loop are gone before it.
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // Runs everything that is ready, without waiting. Returns how many handlers ran.
  size_t Poll();
  // As Poll, but if nothing is ready waits for it, or for Wake(), at most `timeout_ns`, rounded up
  // to a millisecond.
  size_t Wait(int64_t timeout_ns);
  // Ends the current or, if there is none, the next Wait. Any thread.
  void Wake();

  // Sends what the sockets marked since the last call have to send: one gathered write each.
  void FlushDirty();

  // The clock at the start of this turn: wall time in milliseconds since 1970, and a time that
  // never steps back.
  int64_t now_ms() const { return now_ms_; }
  int64_t now_ns() const { return now_ns_; }

  // For whatever else belongs on this thread.
  asio::io_context& context() { return context_; }

  // --- For sockets. ---

  // Watches `fd` for `socket` until it is closed. False if the system refuses (errno says why).
  bool Add(int fd, IoSocket* socket);
  // Destroys a socket, whose fd is closed, before the next turn: nobody calls it any more then.
  void Destroy(std::unique_ptr<IoSocket> socket);
  // Calls socket->Flush() in the next FlushDirty().
  void MarkDirty(IoSocket* socket) {
    if (socket->dirty_) return;
    socket->dirty_ = true;
    dirty_.push_back(socket);
  }
  // Calls socket->OnReady(0) in the next turn, which then does not wait.
  void RunAgain(IoSocket* socket) {
    if (socket->again_) return;
    socket->again_ = true;
    again_.push_back(socket);
  }

  ChunkPool& chunks() { return chunks_; }
  // kReadBytes of scratch, after kReadHeadroom of scratch. Only within one call of OnReady.
  char* read_buffer() { return scratch_.get() + kReadHeadroom; }
  CommandBatch& batch() { return batch_; }

 private:
  size_t PollSockets();
  size_t RunPostponed();
  void WatchSet();
  void ReadClock();
  void DestroyRetired();

  const Clock& clock_;
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::posix::stream_descriptor set_;  // The epoll set.
  UniqueFd wake_;
  bool watching_ = false;  // Asio has a wait outstanding on the set.
  bool woken_ = false;     // A Wake() was seen that no Wait() has answered yet.
  uint32_t polls_since_asio_ = 0;
  int64_t now_ms_ = 0;
  int64_t now_ns_ = 0;

  std::vector<IoSocket*> dirty_;
  std::vector<IoSocket*> flushing_;
  std::vector<IoSocket*> again_;
  std::vector<IoSocket*> running_again_;
  ChunkPool chunks_;
  std::unique_ptr<char[]> scratch_;
  CommandBatch batch_;
  std::vector<std::unique_ptr<IoSocket>> retired_;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_IO_LOOP_H_
