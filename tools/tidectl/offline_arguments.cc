#include "tools/tidectl/offline_arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>
#include <vector>

#include "absl/status/status.h"

namespace tidemark::tidectl {
namespace {

struct Named {
  std::string_view first;
  std::string_view second;  // Empty: the command is one word.
  OfflineCommand command;
};
constexpr Named kCommands[] = {
    {"log", "check", OfflineCommand::kLogCheck},
    {"log", "dump", OfflineCommand::kLogDump},
    {"log", "repair", OfflineCommand::kLogRepair},
    {"snapshot", "check", OfflineCommand::kSnapshotCheck},
    {"snapshot", "dump", OfflineCommand::kSnapshotDump},
    {"restore", "", OfflineCommand::kRestore},
    {"backup", "", OfflineCommand::kBackup},
};

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(what + "; tidectl --help shows the usage");
}

std::optional<uint64_t> ParseNumber(std::string_view text, uint64_t max) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number <= max ? std::optional(number) : std::nullopt;
}

// A flag, and the value after its '='.
absl::Status ApplyFlag(std::string_view flag, OfflineArguments& arguments) {
  const size_t equals = flag.find('=');
  const std::string_view name = flag.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : flag.substr(equals + 1);
  const OfflineCommand command = arguments.command;
  const bool dumps_log = command == OfflineCommand::kLogDump;
  const bool dumps = dumps_log || command == OfflineCommand::kSnapshotDump;
  const bool looks =
      dumps || command == OfflineCommand::kLogCheck || command == OfflineCommand::kSnapshotCheck;
  const bool copies = command == OfflineCommand::kRestore || command == OfflineCommand::kBackup;
  const auto number = [&](uint64_t max) -> absl::StatusOr<uint64_t> {
    const std::optional<uint64_t> parsed = ParseNumber(value, max);
    if (parsed.has_value()) return *parsed;
    return Wrong(fmt::format("{}: '{}' is not a number up to {}", name, value, max));
  };
  if (flag == "--live" && looks) {
    arguments.live = true;
  } else if (flag == "--keys-only" && dumps) {
    arguments.keys_only = true;
  } else if (flag == "--yes" && command == OfflineCommand::kLogRepair) {
    arguments.yes = true;
  } else if (name == "--from" && dumps_log) {
    const absl::StatusOr<uint64_t> parsed = number(UINT64_MAX);
    if (!parsed.ok()) return parsed.status();
    arguments.from_segment = *parsed;
  } else if (name == "--shard" && dumps) {
    const absl::StatusOr<uint64_t> parsed = number(kMaxShards - 1);
    if (!parsed.ok()) return parsed.status();
    arguments.shard = ShardId(static_cast<uint16_t>(*parsed));
  } else if (name == "--after" && dumps_log) {
    const absl::StatusOr<uint64_t> parsed = number(UINT64_MAX);
    if (!parsed.ok()) return parsed.status();
    arguments.after = Sequence(*parsed);
  } else if (name == "--until" && command == OfflineCommand::kRestore) {
    absl::StatusOr<Moment> moment = ParseMoment(value);
    if (!moment.ok()) return Wrong("--until: " + std::string(moment.status().message()));
    arguments.until = *std::move(moment);
  } else if (name == "--into" && copies && !value.empty()) {
    arguments.into = value;
  } else if (name == "--data_dir" && command == OfflineCommand::kBackup && !value.empty()) {
    arguments.directory = value;
  } else if (name == "--password" && command == OfflineCommand::kBackup && !value.empty()) {
    arguments.password = value;
  } else if (name == "--hold" && command == OfflineCommand::kBackup) {
    const absl::StatusOr<uint64_t> parsed = number(86400);
    if (!parsed.ok()) return parsed.status();
    arguments.hold_s = static_cast<int64_t>(*parsed);
  } else {
    return Wrong(fmt::format("unknown flag {}", flag));
  }
  return absl::OkStatus();
}

absl::Status CheckComplete(const OfflineArguments& arguments) {
  const OfflineCommand command = arguments.command;
  if (arguments.directory.empty()) {
    return Wrong(command == OfflineCommand::kBackup ? "which --data_dir=DIR?" : "which directory?");
  }
  if (command == OfflineCommand::kBackup && arguments.node.port == 0) {
    return Wrong("which HOST:PORT?");
  }
  if (command == OfflineCommand::kRestore && arguments.until.sequences.empty() &&
      !arguments.until.time_ms.has_value()) {
    return Wrong("--until=VECTOR or --until=TIME?");
  }
  if ((command == OfflineCommand::kRestore || command == OfflineCommand::kBackup) &&
      arguments.into.empty()) {
    return Wrong("--into=NEWDIR?");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsOffline(std::span<const char* const> words) {
  if (words.empty()) return false;
  for (const Named& named : kCommands) {
    if (named.first == words.front()) return true;
  }
  return false;
}

absl::StatusOr<OfflineArguments> ParseOfflineArguments(std::span<const char* const> words) {
  OfflineArguments arguments;
  const std::string_view first = words.empty() ? "" : words[0];
  const std::string_view second = words.size() > 1 ? words[1] : "";
  const Named* found = nullptr;
  for (const Named& named : kCommands) {
    if (named.first == first && (named.second.empty() || named.second == second)) found = &named;
  }
  if (found == nullptr) return Wrong(fmt::format("unknown command {} {}", first, second));
  arguments.command = found->command;
  for (const std::string_view word : words.subspan(found->second.empty() ? 1 : 2)) {
    if (word.starts_with("-")) {
      if (absl::Status flag = ApplyFlag(word, arguments); !flag.ok()) return flag;
    } else if (found->command == OfflineCommand::kBackup && arguments.node.port == 0) {
      std::optional<Address> address = ParseAddress(word);
      if (!address.has_value()) return Wrong(fmt::format("'{}' is not HOST:PORT", word));
      arguments.node = *std::move(address);
    } else if (found->command != OfflineCommand::kBackup && arguments.directory.empty()) {
      arguments.directory = word;
    } else {
      return Wrong(fmt::format("'{}' is one argument too many", word));
    }
  }
  while (arguments.directory.size() > 1 && arguments.directory.back() == '/') {
    arguments.directory.pop_back();
  }
  while (arguments.into.size() > 1 && arguments.into.back() == '/') arguments.into.pop_back();
  if (absl::Status complete = CheckComplete(arguments); !complete.ok()) return complete;
  return arguments;
}

std::string_view OfflineUsageText() {
  return R"(
On a data directory; the node that uses it must be stopped, but for what says --live:

  log check DIR [--live]
           Reads every byte: checksums, sequences, digests, histories, snapshots. Exit status 1: damaged.
  log dump DIR [--from=SEGMENT] [--shard=N] [--after=SEQUENCE] [--keys-only] [--live]
           The log's records as JSON lines.
  log repair DIR [--yes]
           Says what can be saved of a damaged directory and what is lost; does it with --yes.
           Nothing is deleted: what is taken out goes to DIR/lost.
  snapshot check DIR|SNAPSHOT [--live]
  snapshot dump DIR|SNAPSHOT [--shard=N] [--keys-only] [--live]
           Of all the directory's snapshots, and of its newest.
  restore DIR --until=MOMENT --into=NEWDIR
           A new directory with the state of a moment: 1,2,3 (sequences by shard of the newest history),
           HISTORY:1,2,3, an RFC 3339 time, or unix milliseconds.
  backup HOST:PORT --data_dir=DIR --into=NEWDIR [--hold=3600]
           Copies a running node's directory as of now; the node keeps its files for so many seconds at most.
)";
}

}  // namespace tidemark::tidectl
