#include "replication/shell/primary_locator.h"

#include <algorithm>
#include <array>
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <charconv>
#include <limits>
#include <utility>

#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tidemark::replication {
namespace {

constexpr std::string_view kQuestion = "*2\r\n$4\r\nTIDE\r\n$4\r\nPEER\r\n";
constexpr size_t kMaxAnswerBytes = 1024;

// The word after `name=`, up to a space or the end; null if there is none.
std::optional<std::string_view> Word(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const std::string_view field = text.substr(at, text.find(' ', at) - at);
    if (field.size() > name.size() && field.substr(0, name.size()) == name &&
        field[name.size()] == '=') {
      return field.substr(name.size() + 1);
    }
    at += field.size() + 1;
  }
  return std::nullopt;
}

absl::Status NotOurs(std::string_view first_line) {
  return absl::FailedPreconditionError(
      fmt::format("what answers there is no Tidemark node: {}", first_line.substr(0, 100)));
}

}  // namespace

std::string PeerAnswerText(const PeerAnswer& answer) {
  std::string text = fmt::format("role={} node={} replication_port={}", answer.role, answer.node_id,
                                 answer.replication_port);
  if (!answer.follows.empty()) {
    text += fmt::format(" follows={}", fmt::join(answer.follows, ","));
  }
  return text;
}

absl::StatusOr<std::optional<PeerAnswer>> ParsePeerAnswer(std::string_view bytes, bool end) {
  if (bytes.empty()) {
    // A replication port may end the connection without a word.
    if (end) return PeerAnswer();
    return std::nullopt;
  }
  constexpr std::string_view kRespTypes = "+-:$*%_,#!=(~>|";
  if (kRespTypes.find(bytes[0]) == std::string_view::npos) return PeerAnswer();
  const size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos) {
    if (end || bytes.size() > kMaxAnswerBytes) return NotOurs(bytes);
    return std::nullopt;
  }
  if (bytes[0] != '$') return NotOurs(bytes.substr(1, line_end - 1));
  size_t length = 0;
  const auto parsed = std::from_chars(bytes.data() + 1, bytes.data() + line_end, length);
  if (parsed.ec != std::errc() || parsed.ptr != bytes.data() + line_end ||
      length > kMaxAnswerBytes) {
    return NotOurs(bytes.substr(0, line_end));
  }
  const std::string_view rest = bytes.substr(line_end + 2);
  if (rest.size() < length) {
    if (end) return NotOurs(rest);
    return std::nullopt;
  }
  const std::string_view text = rest.substr(0, length);
  const auto role = Word(text, "role");
  const auto node = Word(text, "node");
  const auto port = Word(text, "replication_port");
  if (!role || !node || !port) return NotOurs(text);
  PeerAnswer answer{.speaks_resp = true,
                    .role = std::string(*role),
                    .node_id = std::string(*node),
                    .replication_port = 0,
                    .follows = {}};
  if (const auto follows = Word(text, "follows")) {
    answer.follows = absl::StrSplit(absl::string_view(follows->data(), follows->size()), ',');
  }
  const auto read =
      std::from_chars(port->data(), port->data() + port->size(), answer.replication_port);
  if (read.ec != std::errc() || read.ptr != port->data() + port->size()) return NotOurs(text);
  return answer;
}

struct PrimaryLocator::Question : std::enable_shared_from_this<Question> {
  Question(asio::io_context& context, std::string host, uint16_t port, std::string own_node_id,
           Found found)
      : host(std::move(host)),
        port(port),
        own_node_id(std::move(own_node_id)),
        found(std::move(found)),
        resolver(context),
        socket(context) {}

  void Ask() {
    resolver.async_resolve(
        host, fmt::format("{}", port),
        [self = shared_from_this()](const asio::error_code& error, const auto& endpoints) {
          if (error) return self->Fail(error);
          self->Connect(endpoints);
        });
  }
  void Connect(const asio::ip::tcp::resolver::results_type& endpoints) {
    if (found == nullptr) return;
    asio::async_connect(
        socket, endpoints,
        [self = shared_from_this()](const asio::error_code& error, const asio::ip::tcp::endpoint&) {
          if (error) return self->Fail(error);
          self->Write();
        });
  }
  void Write() {
    if (found == nullptr) return;
    asio::async_write(socket, asio::buffer(kQuestion),
                      [self = shared_from_this()](const asio::error_code& error, size_t) {
                        if (error) return self->Fail(error);
                        self->Read();
                      });
  }
  void Read() {
    if (found == nullptr) return;
    socket.async_read_some(asio::buffer(buffer),
                           [self = shared_from_this()](const asio::error_code& error, size_t n) {
                             self->bytes.append(self->buffer.data(), n);
                             self->Judge(static_cast<bool>(error));
                           });
  }
  void Judge(bool end) {
    const absl::StatusOr<std::optional<PeerAnswer>> answer = ParsePeerAnswer(bytes, end);
    if (!answer.ok()) return Finish(answer.status());
    if (!answer->has_value()) return Read();
    const PeerAnswer& peer = **answer;
    if (!peer.speaks_resp) return Finish(LocatedPrimary{.port = port, .is_replica = false});
    if (peer.node_id == own_node_id) {
      return Finish(
          absl::FailedPreconditionError(fmt::format("{}:{} is this node itself", host, port)));
    }
    if (std::find(peer.follows.begin(), peer.follows.end(), own_node_id) != peer.follows.end()) {
      return Finish(absl::FailedPreconditionError(
          fmt::format("the node at {}:{} follows this node, directly or through others: a circle "
                      "of replicas would serve nobody",
                      host, port)));
    }
    if (peer.replication_port == 0) {
      return Finish(absl::FailedPreconditionError(
          fmt::format("the node at {}:{} ({}) takes no replicas: it has no replication_port", host,
                      port, peer.role)));
    }
    Finish(LocatedPrimary{.port = peer.replication_port, .is_replica = peer.role == "replica"});
  }
  void Fail(const asio::error_code& error) {
    Finish(absl::UnavailableError(
        fmt::format("cannot connect to {} port {}: {}", host, port, error.message())));
  }
  void Finish(absl::StatusOr<LocatedPrimary> result) {
    asio::error_code ignored;
    socket.close(ignored);
    if (found != nullptr) std::exchange(found, nullptr)(std::move(result));
  }

  const std::string host;
  const uint16_t port;
  const std::string own_node_id;
  Found found;  // Null once called, or cancelled.
  asio::ip::tcp::resolver resolver;
  asio::ip::tcp::socket socket;
  std::array<char, kMaxAnswerBytes> buffer;
  std::string bytes;
};

PrimaryLocator::PrimaryLocator(asio::io_context& context) : context_(context) {}

PrimaryLocator::~PrimaryLocator() { Cancel(); }

void PrimaryLocator::Locate(const std::string& host, uint16_t port, std::string own_node_id,
                            Found found) {
  Cancel();
  question_ =
      std::make_shared<Question>(context_, host, port, std::move(own_node_id), std::move(found));
  question_->Ask();
}

void PrimaryLocator::Cancel() {
  if (question_ == nullptr) return;
  question_->found = nullptr;
  question_->resolver.cancel();
  asio::error_code ignored;
  question_->socket.close(ignored);
  question_.reset();
}

}  // namespace tidemark::replication
