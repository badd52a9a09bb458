#include "integration/chaos/chaos_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "base/check.h"

namespace tidemark::integration {
namespace {

// Written to one connection and direction before the others have their turn.
constexpr int kPiecesAtOnce = 64;
constexpr size_t kReadBytes = 64 << 10;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// -1 if nobody listens there.
int Dial(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

ChaosProxy::ChaosProxy(int target_port)
    : target_port_(target_port),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(listen(listener_, 64) == 0);
  CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

ChaosProxy::~ChaosProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  for (const Connection& connection : connections_) Close(connection);
  close(listener_);
  close(wake_);
}

// --- What tests ask for ---

void ChaosProxy::Set(Direction direction, const PipeFaults& faults) {
  {
    const std::lock_guard lock(mutex_);
    faults_[direction] = faults;
    for (Connection& connection : connections_) connection.pipes[direction].SetFaults(faults);
  }
  Wake();
}

void ChaosProxy::Cut() {
  {
    const std::lock_guard lock(mutex_);
    for (Connection& connection : connections_) connection.over = connection.reset = true;
  }
  Wake();
}

void ChaosProxy::Refuse() {
  const std::lock_guard lock(mutex_);
  refuses_ = true;
}

void ChaosProxy::Heal() {
  Set(kToTarget, {});
  Set(kFromTarget, {});
  const std::lock_guard lock(mutex_);
  refuses_ = false;
}

uint64_t ChaosProxy::connections() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

uint64_t ChaosProxy::harms() const {
  const std::lock_guard lock(mutex_);
  uint64_t harms = past_harms_;
  for (const Connection& connection : connections_) {
    for (const ChaosPipe& pipe : connection.pipes) harms += pipe.harms();
  }
  return harms;
}

void ChaosProxy::Wake() {
  const uint64_t one = 1;
  CHECK(write(wake_, &one, sizeof(one)) == sizeof(one));
}

// --- The thread ---

void ChaosProxy::Run() {
  std::vector<pollfd> polled;
  while (true) {
    int64_t next_ms = ChaosPipe::kNever;
    polled = {{.fd = wake_, .events = POLLIN, .revents = 0},
              {.fd = listener_, .events = POLLIN, .revents = 0}};
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      const int64_t now_ms = NowMs();
      for (auto it = connections_.begin(); it != connections_.end();) {
        Serve(*it, now_ms);
        if (it->over) {
          Close(*it);
          for (const ChaosPipe& pipe : it->pipes) past_harms_ += pipe.harms();
          it = connections_.erase(it);
          continue;
        }
        for (int from = 0; from < 2; ++from) {
          const ChaosPipe& pipe = it->pipes[from];
          if (!it->ended[from] && pipe.room() > 0) {
            polled.push_back({.fd = it->sockets[from], .events = POLLIN, .revents = 0});
          }
          // A piece that could have gone waits for room, any other for its time.
          if (const int64_t at_ms = pipe.NextMs(now_ms); at_ms > now_ms) {
            next_ms = std::min(next_ms, at_ms);
          } else {
            polled.push_back({.fd = it->sockets[1 - from], .events = POLLOUT, .revents = 0});
          }
        }
        ++it;
      }
    }
    const int64_t wait_ms =
        next_ms == ChaosPipe::kNever ? -1 : std::max<int64_t>(0, next_ms - NowMs());
    poll(polled.data(), polled.size(), static_cast<int>(wait_ms));
    uint64_t woken = 0;
    if ((polled[0].revents & POLLIN) != 0 && read(wake_, &woken, sizeof(woken)) < 0) continue;
    if ((polled[1].revents & POLLIN) != 0) Accept();
  }
}

void ChaosProxy::Accept() {
  const int from = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (from < 0) return;
  const std::lock_guard lock(mutex_);
  const int to = refuses_ ? -1 : Dial(target_port_);
  if (to < 0) {
    close(from);
    return;
  }
  ++accepted_;
  Connection& connection = connections_.emplace_back();
  connection.sockets = {from, to};
  for (int direction = 0; direction < 2; ++direction) {
    const int on = 1;
    setsockopt(connection.sockets[direction], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection.pipes[direction].SetFaults(faults_[direction]);
  }
}

void ChaosProxy::Serve(Connection& connection, int64_t now_ms) {
  for (int direction = 0; direction < 2 && !connection.over; ++direction) {
    Carry(connection, direction, now_ms);
  }
}

void ChaosProxy::Carry(Connection& connection, int direction, int64_t now_ms) {
  ChaosPipe& pipe = connection.pipes[direction];
  const int from = connection.sockets[direction];
  const int to = connection.sockets[1 - direction];
  if (!connection.ended[direction] && pipe.room() > 0) {
    char buffer[kReadBytes];
    const ssize_t got = recv(from, buffer, std::min(kReadBytes, pipe.room()), MSG_DONTWAIT);
    if (got > 0) pipe.Push({buffer, static_cast<size_t>(got)}, now_ms);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
      connection.ended[direction] = true;
    }
  }
  for (int piece = 0; piece < kPiecesAtOnce; ++piece) {
    const std::string_view bytes = pipe.Ready(now_ms);
    if (bytes.empty()) break;
    const ssize_t sent = send(to, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) connection.over = true;
    if (sent <= 0) break;
    pipe.OnWritten(static_cast<size_t>(sent), now_ms);
  }
  const bool ended = connection.ended[direction] && pipe.empty() && !pipe.stands_still();
  if (ended || pipe.is_cut()) connection.over = true;
}

void ChaosProxy::Close(const Connection& connection) {
  for (const int socket : connection.sockets) {
    // As a network does that has lost the connection: a reset, no orderly end.
    const linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (connection.reset) setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(socket);
  }
}

}  // namespace tidemark::integration
