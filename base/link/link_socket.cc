#include "base/link/link_socket.h"

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "fmt/format.h"

namespace tidemark {
namespace {

constexpr size_t kReadBytes = 256 << 10;
// What the kernel takes in one call, less than its own limit: a call that is cut short is repeated.
constexpr size_t kMaxPieces = 64;
// A shard that shares the core waits no longer than this takes.
constexpr size_t kMaxWriteBytes = 64 << 10;
// A peer that is told why reads it before it closes; one that does not is cut.
constexpr auto kLinger = std::chrono::milliseconds(500);

}  // namespace

struct LinkSocket::Core : std::enable_shared_from_this<Core> {
  explicit Core(asio::ip::tcp::socket s)
      : socket(std::move(s)), linger(socket.get_executor()), input(kReadBytes) {}

  void Read();
  void Write();
  void Fail(const asio::error_code& error);
  void Linger();

  asio::ip::tcp::socket socket;
  asio::steady_timer linger;
  LinkSocketOwner* owner = nullptr;  // Null once closed.
  std::vector<char> input;
  bool reading = true;
  bool read_pending = false;
  bool write_pending = false;
  std::vector<std::string_view> pieces;
  std::vector<asio::const_buffer> buffers;
};

void LinkSocket::Core::Read() {
  if (read_pending || !reading) return;
  read_pending = true;
  socket.async_read_some(asio::buffer(input),
                         [self = shared_from_this()](const asio::error_code& error, size_t bytes) {
                           self->read_pending = false;
                           if (error) return self->Fail(error);
                           if (self->owner != nullptr)
                             self->owner->OnBytes({self->input.data(), bytes});
                           self->Read();
                         });
}

void LinkSocket::Core::Write() {
  if (write_pending || owner == nullptr) return;
  pieces.clear();
  owner->Gather(kMaxPieces, &pieces);
  if (pieces.empty()) return;
  buffers.clear();
  size_t left = kMaxWriteBytes;
  for (const std::string_view piece : pieces) {
    buffers.emplace_back(piece.data(), std::min(left, piece.size()));
    left -= buffers.back().size();
    if (left == 0) break;
  }
  write_pending = true;
  socket.async_write_some(buffers,
                          [self = shared_from_this()](const asio::error_code& error, size_t bytes) {
                            self->write_pending = false;
                            if (error) return self->Fail(error);
                            if (self->owner != nullptr) self->owner->OnWritten(bytes);
                            self->Write();
                          });
}

void LinkSocket::Core::Fail(const asio::error_code& error) {
  asio::error_code ignored;
  socket.close(ignored);
  linger.cancel();
  if (owner == nullptr) return;
  std::exchange(owner, nullptr)
      ->OnClosed(absl::UnavailableError(fmt::format("the connection ended: {}", error.message())));
}

// Closing with bytes unread would make the kernel send a reset, which can overtake our last words.
// So: say that no more comes, and read on, into nothing, until the peer closes or the time is over.
void LinkSocket::Core::Linger() {
  asio::error_code error;
  // What a write under way refers to may be gone the moment that we return; closing takes the write
  // back.
  if (write_pending) {
    socket.close(error);
    return;
  }
  socket.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error) {
    socket.close(error);
    return;
  }
  reading = true;
  Read();
  linger.expires_after(kLinger);
  linger.async_wait([self = shared_from_this()](const asio::error_code&) {
    asio::error_code ignored;
    self->socket.close(ignored);
  });
}

LinkSocket::LinkSocket(asio::ip::tcp::socket socket, LinkSocketOwner* owner)
    : core_(std::make_shared<Core>(std::move(socket))) {
  core_->owner = owner;
  asio::error_code ignored;
  core_->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  core_->Read();
}

LinkSocket::~LinkSocket() { Close(); }

void LinkSocket::WantWrite() { core_->Write(); }

void LinkSocket::SetReading(bool reading) {
  core_->reading = reading;
  core_->Read();
}

void LinkSocket::Close() {
  if (core_->owner == nullptr) return;
  core_->owner = nullptr;
  core_->Linger();
}

}  // namespace tidemark
