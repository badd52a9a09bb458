#include "net/io_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace tidemark::net {
namespace {

constexpr int kMaxEvents = 128;
// Every so manieth Poll asks Asio too; Wait always does.
constexpr uint32_t kPollsPerAsioPoll = 8;

}  // namespace

IoLoop::IoLoop(const Clock& clock)
    : clock_(clock),
      context_(ASIO_CONCURRENCY_HINT_UNSAFE),
      work_(context_.get_executor()),
      set_(context_),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      scratch_(std::make_unique_for_overwrite<char[]>(kReadHeadroom + kReadBytes)) {
  asio::error_code error;
  set_.assign(::epoll_create1(EPOLL_CLOEXEC), error);
  CHECK(!error && wake_.valid());
  // Edge-triggered: every Wake() shows once, and nobody has to read the counter.
  CHECK(Add(wake_.get(), nullptr));
  ReadClock();
}

IoLoop::~IoLoop() { DestroyRetired(); }

size_t IoLoop::Poll() {
  DestroyRetired();
  ReadClock();
  size_t ran = PollSockets() + RunPostponed();
  if (++polls_since_asio_ >= kPollsPerAsioPoll) {
    polls_since_asio_ = 0;
    ran += context_.poll();
  }
  return ran;
}

size_t IoLoop::Wait(int64_t timeout_ns) {
  if (woken_ || !again_.empty() || timeout_ns <= 0) {
    woken_ = false;
    return Poll();
  }
  DestroyRetired();
  WatchSet();
  size_t ran = context_.run_one_for(std::chrono::microseconds((timeout_ns + 999) / 1000));
  ReadClock();
  ran += PollSockets();
  woken_ = false;
  return ran;
}

void IoLoop::Wake() {
  const uint64_t one = 1;
  // It fails only when the counter is full, and then a wake-up is pending anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void IoLoop::FlushDirty() {
  // Flushing may close a connection, and its end may make others dirty.
  while (!dirty_.empty()) {
    flushing_.swap(dirty_);
    for (IoSocket* socket : flushing_) {
      socket->dirty_ = false;
      socket->Flush();
    }
    flushing_.clear();
  }
}

bool IoLoop::Add(int fd, IoSocket* socket) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  if (socket == nullptr) event.events = EPOLLIN | EPOLLET;
  event.data.ptr = socket;
  return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void IoLoop::Destroy(std::unique_ptr<IoSocket> socket) { retired_.push_back(std::move(socket)); }

size_t IoLoop::PollSockets() {
  epoll_event events[kMaxEvents];
  const int count = ::epoll_wait(set_.native_handle(), events, kMaxEvents, 0);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == nullptr) {
      woken_ = true;
    } else {
      static_cast<IoSocket*>(events[i].data.ptr)->OnReady(events[i].events);
    }
  }
  return count > 0 ? static_cast<size_t>(count) : 0;
}

size_t IoLoop::RunPostponed() {
  if (again_.empty()) return 0;
  running_again_.swap(again_);
  for (IoSocket* socket : running_again_) {
    socket->again_ = false;
    socket->OnReady(0);
  }
  const size_t ran = running_again_.size();
  running_again_.clear();
  return ran;
}

// Has Asio wait for the set. Asking anew tells at once if a socket is ready by now.
void IoLoop::WatchSet() {
  if (watching_) return;
  watching_ = true;
  set_.async_wait(asio::posix::descriptor_base::wait_read,
                  [this](const asio::error_code&) { watching_ = false; });
}

void IoLoop::ReadClock() {
  now_ms_ = clock_.UnixMillis();
  now_ns_ = clock_.MonotonicNanos();
}

void IoLoop::DestroyRetired() {
  if (retired_.empty()) return;
  const auto retired = [](IoSocket* socket) { return socket->retired_; };
  for (const auto& socket : retired_) socket->retired_ = true;
  std::erase_if(dirty_, retired);
  std::erase_if(again_, retired);
  retired_.clear();
}

}  // namespace tidemark::net
