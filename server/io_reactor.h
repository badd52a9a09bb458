// IoReactor lets a shard of the engine wait on an IoLoop's sockets.

#ifndef TIDEMARK_SERVER_IO_REACTOR_H_
#define TIDEMARK_SERVER_IO_REACTOR_H_

#include "cache/reactor.h"
#include "net/io_loop.h"

namespace tidemark::server {

class IoReactor final : public cache::Reactor {
 public:
  // Borrows `loop`.
  explicit IoReactor(net::IoLoop& loop) : loop_(loop) {}

  size_t Poll() override { return loop_.Poll(); }
  size_t Wait(int64_t timeout_ns) override { return loop_.Wait(timeout_ns); }
  void Wake() override { loop_.Wake(); }

 private:
  net::IoLoop& loop_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_IO_REACTOR_H_
