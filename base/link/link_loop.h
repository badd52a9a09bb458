// LinkLoop is a link thread: one io_context that other threads may post to. The sockets of a node's
// peers (replicas, consumers of its changes, its primary) live on one.

#ifndef TIDEMARK_BASE_LINK_LINK_LOOP_H_
#define TIDEMARK_BASE_LINK_LINK_LOOP_H_

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "absl/functional/any_invocable.h"

namespace tidemark {

class LinkLoop {
 public:
  LinkLoop();
  ~LinkLoop();  // Stops.

  asio::io_context& context() { return *context_; }

  // Sockets may be opened before Start(); handlers run from then on, on a thread of this name.
  void Start(std::string_view name);
  // Ends the thread after the handler that runs. What is posted later is destroyed with the loop.
  // Idempotent.
  void Stop();

  // Any thread, as long as the loop or a Poster of it lives.
  void Post(absl::AnyInvocable<void()> task) { Poster(context_).Post(std::move(task)); }

  // Posts to the loop, and may outlive it: then tasks are destroyed unrun. For callbacks held by
  // shards.
  class Poster {
   public:
    explicit Poster(std::shared_ptr<asio::io_context> context) : context_(std::move(context)) {}
    void Post(absl::AnyInvocable<void()> task) const;

   private:
    std::shared_ptr<asio::io_context> context_;
  };
  Poster poster() const { return Poster(context_); }

  // Milliseconds of the monotonic clock.
  static int64_t NowMs();

 private:
  const std::shared_ptr<asio::io_context> context_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::thread thread_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_LINK_LOOP_H_
