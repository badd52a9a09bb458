// Reactor is what a shard thread waits on: sockets in a server, a bare event in an embedding
// program. The engine owns this interface and never sees what is behind it.

#ifndef TIDEMARK_CACHE_REACTOR_H_
#define TIDEMARK_CACHE_REACTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tidemark::cache {

class Reactor {
 public:
  virtual ~Reactor() = default;

  // Runs every handler that is ready, without waiting. Returns how many ran. Shard thread only.
  virtual size_t Poll() = 0;
  // As Poll, but if nothing is ready waits for it, or for Wake(), at most `timeout_ns`.
  virtual size_t Wait(int64_t timeout_ns) = 0;
  // Ends the current or, if there is none, the next Wait. Any thread.
  virtual void Wake() = 0;
};

// A reactor without sockets, for embedding and tests.
std::unique_ptr<Reactor> MakeEventReactor();

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_REACTOR_H_
