#include "base/link/link_loop.h"

#include <asio/post.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "base/thread_name.h"

namespace tidemark {

LinkLoop::LinkLoop() : context_(std::make_shared<asio::io_context>()) {
  work_.emplace(context_->get_executor());
}

LinkLoop::~LinkLoop() { Stop(); }

void LinkLoop::Start(std::string_view name) {
  thread_ = std::thread([context = context_, name = std::string(name)] {
    NameThread(name);
    context->run();
  });
}

void LinkLoop::Stop() {
  context_->stop();
  if (thread_.joinable()) thread_.join();
}

void LinkLoop::Poster::Post(absl::AnyInvocable<void()> task) const {
  asio::post(*context_, std::move(task));
}

int64_t LinkLoop::NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace tidemark
