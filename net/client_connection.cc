#include "net/client_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/connection_set.h"

namespace tidemark::net {
namespace {

// A bulk string that lacks so much is read straight to where it is kept.
constexpr size_t kBigBulkBytes = 32 * 1024;
constexpr size_t kMaxDirectReadBytes = 256 * 1024;
// Replies are sent before the end of the turn when there are so many.
constexpr size_t kFlushEarlyBytes = 256 * 1024;
constexpr size_t kMaxPieces = 64;
constexpr int kMaxWritesPerFlush = 8;

constexpr int64_t kNanosPerMilli = 1'000'000;

// Drops what lies beyond the first `bytes` bytes; returns how many pieces are left.
size_t Trim(std::span<iovec> pieces, uint64_t bytes) {
  size_t count = 0;
  for (; count < pieces.size() && bytes > 0; ++count) {
    pieces[count].iov_len = static_cast<size_t>(std::min<uint64_t>(pieces[count].iov_len, bytes));
    bytes -= pieces[count].iov_len;
  }
  return count;
}

}  // namespace

void ConnectionHandler::OnEndOfInput(ClientConnection& connection) { connection.CloseAfterReply(); }

ClientConnection::ClientConnection(ConnectionSet& set, UniqueFd fd, uint64_t id,
                                   std::string address, std::string local_address)
    : set_(set),
      loop_(set.loop()),
      fd_(std::move(fd)),
      id_(id),
      output_(loop_.chunks()),
      writer_(output_),
      last_interaction_ns_(loop_.now_ns()),
      created_ms_(loop_.now_ms()),
      address_(std::move(address)),
      local_address_(std::move(local_address)) {}

ClientConnection::~ClientConnection() = default;

void ClientConnection::OnReady(uint32_t events) {
  if (closed_ || handler_ == nullptr) return;
  if ((events & EPOLLOUT) != 0) write_blocked_ = false;
  if (!output_.empty() && !write_blocked_) loop_.MarkDirty(this);
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) at_end_ = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 && (paused_ || closing_ || input_ended_)) {
    // Nobody reads on, and so would find out that the client is gone.
    return Close(CloseReason::kClient);
  }
  if (closing_ || input_ended_) return;
  if (leftover_ && !paused_) RunLeftover();
  if (readable_ && !paused_ && !closing()) Read();
}

void ClientConnection::Read() {
  const bool direct =
      pending_.size() > IoLoop::kReadHeadroom || parser_.missing_bytes() >= kBigBulkBytes;
  char* at = loop_.read_buffer();
  size_t room = read_limit_;
  if (direct) {
    const size_t missing = parser_.missing_bytes();
    at = pending_.Tail(missing > 0 ? missing : IoLoop::kReadBytes, &room);
    room = std::min<size_t>(room,
                            read_limit_ < IoLoop::kReadBytes ? read_limit_ : kMaxDirectReadBytes);
  }
  ssize_t received;
  do {
    received = ::recv(fd_.get(), at, room, 0);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    readable_ = false;
    if (errno != EAGAIN && errno != EWOULDBLOCK) Close(CloseReason::kClient);
    return;
  }
  if (received == 0) return EndOfInput();

  const size_t size = static_cast<size_t>(received);
  set_.counters_.reads.Add(1);
  set_.counters_.bytes_in.Add(size);
  last_interaction_ns_ = loop_.now_ns();
  // A short read drained the socket, and what comes later is a new edge; but the client's end shows
  // only to a read, and its edge may be over.
  readable_ = size == room || at_end_;
  if (readable_) loop_.RunAgain(this);

  if (direct) {
    pending_.Commit(size);
    RunLeftover();
  } else {
    const size_t kept = pending_.size();
    const std::string_view input{at - kept, kept + size};
    if (kept > 0) std::memcpy(at - kept, pending_.view().data(), kept);
    const size_t used = RunCommands(input);
    if (closing()) {
      pending_.Clear();
    } else if (used == 0) {
      pending_.Append({at, size});
    } else {
      pending_.Clear();
      pending_.Append(input.substr(used));
    }
  }
  if (pending_.size() > set_.settings_.query_buffer_limit_bytes) {
    set_.counters_.closed_by_query_buffer_limit.Add(1);
    Close(CloseReason::kQueryBufferLimit);
  }
}

void ClientConnection::RunLeftover() {
  leftover_ = false;
  const size_t used = RunCommands(pending_.view());
  if (closing()) return pending_.Clear();
  pending_.Consume(used);
}

size_t ClientConnection::RunCommands(std::string_view input) {
  CommandBatch& batch = loop_.batch();
  size_t used = 0;
  do {
    const RespParser::Options options{set_.settings_.max_bulk_bytes, trust_};
    const std::string_view error = parser_.Parse(input.substr(used), options, batch);
    if (!error.empty()) {
      FailProtocol(error);
      return input.size();
    }
    const std::span<const ParsedCommand> commands = batch.commands();
    if (commands.empty()) {
      used += batch.consumed();
      break;
    }
    dispatching_ = true;
    const size_t taken = handler_->OnCommands(*this, commands);
    dispatching_ = false;
    DCHECK(taken <= commands.size());
    if (closed_) {
      FinishClose();
      return input.size();
    }
    used += batch.consumed(taken);
    if (closing_) break;
    if (taken < commands.size()) {
      // The parser is ahead of what was taken.
      parser_.Restart();
      leftover_ = true;
      paused_ = !resumed_;
      if (std::exchange(resumed_, false)) loop_.RunAgain(this);
      break;
    }
    resumed_ = false;
    if (output_.size() >= kFlushEarlyBytes && !write_blocked_) {
      Flush();
      if (closed_) return input.size();
    }
  } while (batch.more());
  if (!output_.empty() || closing_) loop_.MarkDirty(this);
  return used;
}

void ClientConnection::EndOfInput() {
  input_ended_ = true;
  close_reason_ = CloseReason::kClient;
  dispatching_ = true;
  handler_->OnEndOfInput(*this);
  dispatching_ = false;
  if (closed_) FinishClose();
}

void ClientConnection::FailProtocol(std::string_view text) {
  set_.counters_.protocol_errors.Add(1);
  dispatching_ = true;
  handler_->OnProtocolError(*this, text);
  dispatching_ = false;
  if (closed_) return FinishClose();
  close_reason_ = CloseReason::kProtocolError;
  CloseAfterReply();
}

void ClientConnection::Resume() {
  if (dispatching_) {
    resumed_ = true;
    return;
  }
  if (!paused_ || closed_) return;
  paused_ = false;
  loop_.RunAgain(this);
}

void ClientConnection::CloseAfterReply() {
  if (closing()) return;
  closing_ = true;
  loop_.MarkDirty(this);
}

void ClientConnection::Close(CloseReason reason) {
  if (closed_) return;
  closed_ = true;
  close_reason_ = reason;
  fd_.Reset();
  // A handler on the stack must return before it may be told, and deleted; whoever called it does
  // that.
  if (!dispatching_) FinishClose();
}

void ClientConnection::FinishClose() {
  output_.Clear();
  pending_.Clear();
  parser_.Restart();
  if (soft_limit_since_ns_ != 0) --set_.over_soft_limit_;
  ConnectionHandler* const handler = std::exchange(handler_, nullptr);
  if (handler != nullptr) handler->OnClosed(*this, close_reason_);
  set_.Retire(*this);
}

void ClientConnection::Flush() {
  if (closed_) return;
  for (int writes = 0; !output_.empty() && !write_blocked_ && sent_bytes_ < send_limit_; ++writes) {
    if (writes == kMaxWritesPerFlush) {
      loop_.RunAgain(this);
      break;
    }
    iovec pieces[kMaxPieces];
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = output_.Gather(pieces);
    if (held_back()) [[unlikely]]
      message.msg_iovlen = Trim({pieces, message.msg_iovlen}, send_limit_ - sent_bytes_);
    // One piece is the rule, and cheaper to send.
    const ssize_t sent = message.msg_iovlen == 1 ? ::send(fd_.get(), pieces[0].iov_base,
                                                          pieces[0].iov_len, MSG_NOSIGNAL)
                                                 : ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        write_blocked_ = true;
        break;
      }
      return Close(CloseReason::kClient);
    }
    output_.Consume(static_cast<size_t>(sent));
    sent_bytes_ += static_cast<uint64_t>(sent);
    set_.counters_.writes.Add(1);
    set_.counters_.bytes_out.Add(static_cast<size_t>(sent));
    last_interaction_ns_ = loop_.now_ns();
  }
  if (closing_ && output_.empty() && !dispatching_) return Close(close_reason_);
  CheckOutputLimit();
}

void ClientConnection::CheckOutputLimit() {
  const OutputLimit& limit = set_.settings_.output_limits[static_cast<size_t>(output_class_)];
  const size_t size = output_.size();
  const bool over_soft = limit.soft_bytes > 0 && size > limit.soft_bytes;
  if (over_soft != (soft_limit_since_ns_ != 0)) {
    soft_limit_since_ns_ = over_soft ? loop_.now_ns() : 0;
    if (over_soft) {
      ++set_.over_soft_limit_;
    } else {
      --set_.over_soft_limit_;
    }
  }
  if ((limit.hard_bytes > 0 && size > limit.hard_bytes) ||
      (over_soft &&
       loop_.now_ns() - soft_limit_since_ns_ > limit.soft_seconds * 1000 * kNanosPerMilli)) {
    set_.counters_.closed_by_output_limit.Add(1);
    Close(CloseReason::kOutputLimit);
  }
}

void ClientConnection::CheckTimers() {
  if (closed_) return;
  const int64_t timeout_ms = set_.settings_.idle_timeout_ms;
  // One that is paused waits for us.
  if (timeout_ms > 0 && output_class_ == OutputClass::kNormal && !paused_ &&
      loop_.now_ns() - last_interaction_ns_ > timeout_ms * kNanosPerMilli) {
    set_.counters_.closed_idle.Add(1);
    return Close(CloseReason::kIdle);
  }
  if (soft_limit_since_ns_ != 0) CheckOutputLimit();
}

void ClientConnection::set_read_limit(size_t bytes) {
  read_limit_ = static_cast<uint32_t>(std::clamp<size_t>(bytes, 1, IoLoop::kReadBytes));
}

size_t ClientConnection::memory_bytes() const {
  return sizeof(*this) + pending_.capacity() + output_.memory_bytes() + address_.capacity() +
         local_address_.capacity();
}

}  // namespace tidemark::net
