#include "tools/tideexport/arguments.h"

#include <fmt/format.h>

#include "absl/status/status.h"
#include "wal/export/export_message.h"

namespace tidemark::tideexport {
namespace {

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(what + "; tideexport --help shows the usage");
}

// HOST:PORT, or [HOST]:PORT.
absl::Status ParseAddress(std::string_view text, Arguments* arguments) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    return Wrong(fmt::format("'{}' is not HOST:PORT", text));
  }
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  arguments->host = std::string(host);
  arguments->port = std::string(text.substr(colon + 1));
  return absl::OkStatus();
}

absl::Status ApplyFlag(std::string_view flag, Arguments* arguments) {
  using From = wal::ExportStart::From;
  const size_t equals = flag.find('=');
  const std::string_view name = flag.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : flag.substr(equals + 1);
  if (flag == "--listen") {
    arguments->listen = true;
  } else if (flag == "--until-current") {
    arguments->until_current = true;
  } else if (flag == "--from-now") {
    arguments->from = From::kNow;
  } else if (flag == "--from-beginning") {
    arguments->from = From::kBeginning;
  } else if (flag == "--from-snapshot") {
    arguments->from = From::kSnapshot;
  } else if (name == "--token" && !value.empty()) {
    arguments->token = value;
  } else if (name == "--resume" && !value.empty()) {
    arguments->resume_file = value;
  } else if (name == "--output" && !value.empty()) {
    arguments->output_file = value;
  } else if (name == "--consumer") {
    if (!wal::IsConsumerName(value)) {
      return Wrong(fmt::format("'{}' is no consumer's name: 1 to 64 of A-Z a-z 0-9 . _ -", value));
    }
    arguments->consumer = value;
  } else {
    return Wrong(fmt::format("unknown flag {}", flag));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Arguments> ParseArguments(std::span<const char* const> words) {
  Arguments arguments;
  for (const std::string_view word : words) {
    if (word == "--help" || word == "-h") {
      arguments.help = true;
      return arguments;
    }
    absl::Status parsed;
    if (word.starts_with("-")) {
      parsed = ApplyFlag(word, &arguments);
    } else if (!arguments.host.empty()) {
      parsed = Wrong("more than one address");
    } else {
      parsed = ParseAddress(word, &arguments);
    }
    if (!parsed.ok()) return parsed;
  }
  if (arguments.host.empty()) return Wrong("which node? HOST:PORT");
  if (!arguments.output_file.empty() && arguments.resume_file.empty()) {
    return Wrong("--output=FILE needs --resume=FILE, which says how much of it is good");
  }
  return arguments;
}

std::string_view UsageText() {
  return R"(Usage: tideexport HOST:PORT [FLAG...]

Prints every durable change of a node, one JSON object a line, and goes on until it is stopped.
Connections that break are made again; no change is printed twice or left out.

  --consumer=NAME    whose place the node keeps (default: tideexport)
  --token=TOKEN      the node's export_token (default: $TIDEEXPORT_TOKEN)
  --resume=FILE      keep the position in FILE, and go on from it
  --output=FILE      append the lines to FILE instead of printing them; needs --resume
  --from-now         without a position: only what comes from now on (default)
  --from-beginning   ... every change that the node ever made, if its log still has them
  --from-snapshot    ... the newest snapshot's entries, then every change since
  --until-current    leave once everything that is durable now has been printed
  --listen           wait at HOST:PORT for the node to connect (its export_mode=connect)

After a crash of tideexport itself, lines on standard output may come again, with the same history,
shard and sequence. In the file of --output every line is once: what a crash left behind the position
is cut when it starts again.

Exit status: 0 when told to leave; 1 if the node refuses, or a position is lost; 64 for bad arguments.
)";
}

}  // namespace tidemark::tideexport
