#include "tools/tidectl/arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <system_error>

#include "absl/status/status.h"

namespace tidemark::tidectl {
namespace {

std::optional<double> ParseSeconds(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(seconds > 0 && seconds <= 86400)) return std::nullopt;
  return seconds;
}

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(what + "; tidectl --help shows the usage");
}

// A flag, and the value after its '='.
absl::Status ApplyFlag(std::string_view flag, Arguments& arguments) {
  const size_t equals = flag.find('=');
  const std::string_view name = flag.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : flag.substr(equals + 1);
  if (flag == "--once") {
    arguments.once = true;
  } else if (name == "--password" && !value.empty()) {
    arguments.password = value;
  } else if (name == "--interval" || name == "--deadline") {
    const std::optional<double> seconds = ParseSeconds(value);
    if (!seconds) {
      return Wrong(fmt::format("{}: '{}' is not a number of seconds above 0", name, value));
    }
    (name == "--interval" ? arguments.interval_s : arguments.deadline_s) = *seconds;
  } else {
    return Wrong(fmt::format("unknown flag {}", flag));
  }
  return absl::OkStatus();
}

}  // namespace

std::string Address::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

std::optional<Address> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::string_view digits = text.substr(colon + 1);
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (host.empty() || port < 1 || port > 65535) return std::nullopt;
  return Address{.host = std::string(host), .port = port};
}

absl::StatusOr<Arguments> ParseArguments(std::span<const char* const> words) {
  Arguments arguments;
  if (words.empty()) return Wrong("which command?");
  for (const std::string_view word : words) {
    if (word == "--help" || word == "-h") return arguments;
  }
  const std::string_view command = words.front();
  if (command == "status") {
    arguments.command = Command::kStatus;
  } else if (command == "verify") {
    arguments.command = Command::kVerify;
  } else if (command == "top") {
    arguments.command = Command::kTop;
  } else {
    return Wrong(fmt::format("unknown command {}", command));
  }
  for (const std::string_view word : words.subspan(1)) {
    if (word.starts_with("-")) {
      if (absl::Status flag = ApplyFlag(word, arguments); !flag.ok()) return flag;
      continue;
    }
    std::optional<Address> address = ParseAddress(word);
    if (!address) return Wrong(fmt::format("'{}' is not HOST:PORT", word));
    arguments.nodes.push_back(*std::move(address));
  }
  const size_t least = arguments.command == Command::kVerify ? 2 : 1;
  if (arguments.nodes.size() < least) {
    return Wrong(fmt::format("{} needs at least {} HOST:PORT", command, least));
  }
  return arguments;
}

std::string_view UsageText() {
  return R"(usage: tidectl COMMAND [--flag=value ...] HOST:PORT [HOST:PORT ...]

  status   Who has what: each node's role and watermarks, and how far each replica is behind.
  verify   Waits until all nodes stand at the same watermarks and compares digests of their contents.
           Exit status 0 if they are equal, 1 if not, or not even before the deadline.
  top      Each node's load: commands a second, clients, keys, memory.

  HOST:PORT is where a node serves its clients. A password comes from --password=... or REDISCLI_AUTH.

  --once          status and top: print once and leave, instead of every --interval=1 seconds.
  --deadline=30   verify: seconds to wait.
)";
}

}  // namespace tidemark::tidectl
