#include "integration/harness/resp_connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "integration/harness/resp_text.h"

namespace tidemark::integration {

RespConnection::RespConnection(int port, Duration deadline)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), deadline_(deadline) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    shutdown(socket_, SHUT_RDWR);
  }
}

RespConnection::RespConnection(RespConnection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      deadline_(other.deadline_),
      received_(std::move(other.received_)) {}

RespConnection::~RespConnection() {
  if (socket_ >= 0) close(socket_);
}

void RespConnection::Send(std::string_view bytes) {
  // Who has closed already shows that in what is read.
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string RespConnection::Read() {
  for (;;) {
    std::string_view input = received_;
    if (const std::optional<std::string> reply = TakeReply(input)) {
      received_.erase(0, received_.size() - input.size());
      return *reply;
    }
    pollfd readable = {.fd = socket_, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, static_cast<int>(deadline_.count())) != 1) return "(silent)";
    char bytes[16 << 10];
    const ssize_t n = recv(socket_, bytes, sizeof(bytes), 0);
    if (n <= 0) return "(closed)";
    received_.append(bytes, static_cast<size_t>(n));
  }
}

std::string RespConnection::Do(const std::vector<std::string>& words) {
  std::string command = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) {
    command += fmt::format("${}\r\n{}\r\n", word.size(), word);
  }
  Send(command);
  return Read();
}

}  // namespace tidemark::integration
