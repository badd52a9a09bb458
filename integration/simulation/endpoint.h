// AttachNode connects one end of a simulated connection to an object of a node: what arrives is
// handled in the node's own time, so not while it is stopped, and not once the object is gone.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_ENDPOINT_H_
#define TIDEMARK_INTEGRATION_SIMULATION_ENDPOINT_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "integration/simulation/node_time.h"
#include "replication/link/simulated_network.h"

namespace tidemark::simulation {

using Connection = replication::SimulatedConnection;
using ConnectionRef = std::shared_ptr<Connection>;

// What arrived while the node was stopped, in order.
class Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  Inbox(NodeTime* time, std::shared_ptr<const bool> life) : time_(time), life_(std::move(life)) {}

  template <typename Handle>
  void Take(Handle handle) {
    if (!*life_) return;
    if (waiting_.empty() && !time_->stopped()) return handle();
    waiting_.emplace_back(std::move(handle));
    if (waiting_.size() > 1) return;
    time_->In(0, [self = shared_from_this()] {
      while (*self->life_ && !self->waiting_.empty()) {
        const std::function<void()> next = std::move(self->waiting_.front());
        next();  // Before it leaves the queue: what arrives from within goes behind it.
        self->waiting_.pop_front();
      }
    });
  }
  bool must_wait() const { return !waiting_.empty() || time_->stopped(); }

 private:
  NodeTime* const time_;
  const std::shared_ptr<const bool> life_;
  std::deque<std::function<void()>> waiting_;
};

inline void AttachNode(const NodeEvents& of, Connection& connection, int end,
                       replication::EndPoint handlers) {
  const auto inbox = std::make_shared<Inbox>(&of.time(), of.alive());
  const auto to = std::make_shared<replication::EndPoint>(std::move(handlers));
  connection.Attach(end,
                    {.on_bytes =
                         [inbox, to](std::string_view bytes) {
                           if (inbox->must_wait()) {
                             inbox->Take([to, copy = std::string(bytes)] { to->on_bytes(copy); });
                           } else {
                             inbox->Take([&] { to->on_bytes(bytes); });
                           }
                         },
                     .on_writable = [inbox, to] { inbox->Take([to] { to->on_writable(); }); },
                     .on_closed = [inbox, to] { inbox->Take([to] { to->on_closed(); }); }});
}

// Writes what `gather` offers until the connection takes no more, telling `written` of each part.
template <typename Gather, typename Written>
void WriteAll(Connection& connection, int end, Gather gather, Written written) {
  std::vector<std::string_view> pieces;
  while (true) {
    pieces.clear();
    gather(&pieces);
    size_t bytes = 0;
    for (const std::string_view piece : pieces) {
      const size_t taken = connection.Write(end, piece);
      bytes += taken;
      if (taken < piece.size()) break;
    }
    if (bytes == 0) return;
    written(bytes);
  }
}

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_ENDPOINT_H_
