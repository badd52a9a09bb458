#include "tools/tidectl/offline_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "base/random_id.h"
#include "tools/tidectl/dump.h"
#include "tools/tidectl/node_link.h"
#include "wal/data_directory.h"
#include "wal/offline/check.h"
#include "wal/offline/cut.h"
#include "wal/offline/repair.h"
#include "wal/offline/restore.h"
#include "wal/offline/survey.h"

namespace tidemark::tidectl {
namespace {

using wal::DataDirectory;
using Directory = std::unique_ptr<DataDirectory>;

constexpr std::string_view kSnapshotPrefix = "snapshot-";

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int Fail(const absl::Status& status) {
  std::fflush(stdout);
  std::fprintf(stderr, "tidectl: %s\n", std::string(status.message()).c_str());
  return 1;
}

int64_t NowMs() { return absl::ToUnixMillis(absl::Now()); }

absl::StatusOr<Directory> Open(wal::Disk& disk, const OfflineArguments& arguments) {
  return DataDirectory::OpenExisting(
      disk, arguments.directory,
      arguments.live ? DataDirectory::Access::kLive : DataDirectory::Access::kLock);
}

// --- log ---

int LogCheck(const DataDirectory& directory) {
  const auto survey = wal::SurveyDirectory(directory, wal::SurveyDepth::kEverything);
  if (!survey.ok()) return Fail(survey.status());
  const absl::StatusOr<wal::CheckReport> report = wal::CheckDirectory(directory, *survey);
  if (!report.ok()) return Fail(report.status());
  for (const wal::History& history : directory.manifest().histories) {
    Print(fmt::format("history {:016x}: {} shards, born at {}\n", history.id.value(),
                      history.shard_count, history.born_ms));
  }
  for (const std::string& line : report->lines) Print(line + "\n");
  for (const std::string& problem : report->problems) Print("problem: " + problem + "\n");
  if (report->problems.empty()) {
    Print("verdict: whole\n");
    return 0;
  }
  Print(fmt::format("verdict: damaged, {} problems; what can be saved: tidectl log repair {}\n",
                    report->problems.size(), directory.path()));
  return 1;
}

int LogRepair(DataDirectory& directory, bool yes) {
  const auto survey = wal::SurveyDirectory(directory, wal::SurveyDepth::kEverything);
  if (!survey.ok()) return Fail(survey.status());
  const absl::StatusOr<wal::RepairPlan> plan = wal::PlanRepair(directory, *survey);
  if (!plan.ok()) return Fail(plan.status());
  if (plan->problems.empty()) {
    Print("nothing to repair\n");
    return 0;
  }
  for (const std::string& line : wal::Describe(*plan)) Print(line + "\n");
  if (!yes) {
    Print("nothing was changed; do it with --yes\n");
    return 1;
  }
  const absl::Status repaired = wal::Repair(directory, *plan, HistoryId(RandomId()), NowMs());
  if (!repaired.ok()) return Fail(repaired);
  Print("repaired; now:\n");
  return LogCheck(directory);
}

DumpOptions DumpOptionsFrom(const OfflineArguments& arguments) {
  return {.from_segment = arguments.from_segment,
          .shard = arguments.shard,
          .after = arguments.after,
          .keys_only = arguments.keys_only};
}

// --- snapshot ---

// Splits DIR/snapshot-N; 0: all of `path` is the directory.
uint64_t TakeSnapshotNumber(std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (!name.starts_with(kSnapshotPrefix)) return 0;
  uint64_t number = 0;
  for (const char c : name.substr(kSnapshotPrefix.size())) {
    if (c < '0' || c > '9' || number > UINT64_MAX / 100) return 0;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  if (number != 0) path = slash == std::string::npos ? "." : path.substr(0, slash);
  return number;
}

int SnapshotCheck(const DataDirectory& directory, uint64_t number) {
  const absl::StatusOr<wal::Survey> survey =
      wal::SurveyDirectory(directory, wal::SurveyDepth::kEverything);
  if (!survey.ok()) return Fail(survey.status());
  size_t seen = 0;
  bool damaged = false;
  for (const wal::SnapshotSurvey& snapshot : survey->snapshots) {
    if (number != 0 && snapshot.number != number) continue;
    ++seen;
    if (snapshot.manifest.ok()) {
      Print(fmt::format("snapshot {}: ok, {} keys, {} bytes\n", snapshot.number,
                        snapshot.manifest->keys(), snapshot.manifest->bytes()));
    } else {
      damaged = true;
      Print(fmt::format("snapshot {}: DAMAGED, {}\n", snapshot.number,
                        std::string(snapshot.manifest.status().message())));
    }
  }
  if (seen == 0 && number != 0) return Fail(absl::NotFoundError("there is no such snapshot"));
  Print(fmt::format("verdict: {}\n", damaged ? "damaged" : seen == 0 ? "no snapshot" : "whole"));
  return damaged ? 1 : 0;
}

int SnapshotDump(const DataDirectory& directory, uint64_t number, const DumpOptions& options) {
  if (number == 0) {
    const absl::StatusOr<std::vector<uint64_t>> numbers = directory.ListSnapshots();
    if (!numbers.ok()) return Fail(numbers.status());
    if (numbers->empty()) return Fail(absl::NotFoundError("there is no snapshot"));
    number = numbers->back();
  }
  const absl::Status dumped = DumpSnapshot(directory, number, options, Print);
  return dumped.ok() ? 0 : Fail(dumped);
}

// --- restore and backup ---

int CopyTo(const DataDirectory& directory, const wal::Survey& survey, const wal::Target& target,
           const std::string& into) {
  const absl::StatusOr<wal::Cut> cut =
      wal::FindCut(directory, survey, target.history, target.sequences);
  if (!cut.ok()) return Fail(cut.status());
  const HistoryId child = HistoryId(RandomId());
  const absl::Status copied =
      wal::CopyAtCut(directory, *cut, {.into = into, .child = child, .now_ms = NowMs()});
  if (!copied.ok()) return Fail(copied);
  std::vector<uint64_t> sequences;
  for (const wal::ShardPosition& each : cut->positions) sequences.push_back(each.sequence.value());
  Print(fmt::format("{} holds history {:016x} at {}, and goes on as history {:016x}\n", into,
                    cut->history.value(), fmt::join(sequences, ","), child.value()));
  return 0;
}

int Restore(const DataDirectory& directory, const OfflineArguments& arguments) {
  const auto survey = wal::SurveyDirectory(directory, wal::SurveyDepth::kHeaders);
  if (!survey.ok()) return Fail(survey.status());
  if (directory.manifest().histories.empty()) {
    return Fail(absl::FailedPreconditionError("the directory is empty"));
  }
  wal::Target target{.history = arguments.until.history, .sequences = arguments.until.sequences};
  if (arguments.until.time_ms.has_value()) {
    absl::StatusOr<wal::Target> at = wal::TargetAt(directory, *survey, *arguments.until.time_ms);
    if (!at.ok()) return Fail(at.status());
    target = *std::move(at);
  } else if (target.history == HistoryId()) {
    target.history = directory.manifest().histories.back().id;
  }
  return CopyTo(directory, *survey, target, arguments.into);
}

int CopyLive(const DataDirectory& directory, const BackupReply& begun, const std::string& into) {
  if (directory.manifest().histories.empty() ||
      directory.manifest().histories.back().id != begun.history) {
    return Fail(absl::FailedPreconditionError(
        directory.path() + " is not the directory of that node: their histories differ"));
  }
  const auto survey = wal::SurveyDirectory(directory, wal::SurveyDepth::kHeaders);
  if (!survey.ok()) return Fail(survey.status());
  return CopyTo(directory, *survey, {.history = begun.history, .sequences = begun.durable}, into);
}

int Backup(wal::Disk& disk, const OfflineArguments& arguments) {
  NodeLink link(arguments.node, arguments.password);
  const absl::StatusOr<BackupReply> begun = link.BeginBackup(arguments.hold_s);
  if (!begun.ok()) return Fail(begun.status());
  int result = 1;
  {
    const absl::StatusOr<Directory> directory =
        DataDirectory::OpenExisting(disk, arguments.directory, DataDirectory::Access::kLive);
    result =
        directory.ok() ? CopyLive(**directory, *begun, arguments.into) : Fail(directory.status());
  }
  // Whether the hold lasted does not matter: what was copied has been checked.
  if (const absl::Status ended = link.EndBackup(begun->id); !ended.ok()) {
    std::fprintf(stderr, "tidectl: cannot end the node's hold, it ends by itself: %s\n",
                 std::string(ended.message()).c_str());
  }
  return result;
}

}  // namespace

int RunOffline(wal::Disk& disk, const OfflineArguments& given) {
  if (given.command == OfflineCommand::kBackup) return Backup(disk, given);
  OfflineArguments arguments = given;
  const bool of_snapshots = arguments.command == OfflineCommand::kSnapshotCheck ||
                            arguments.command == OfflineCommand::kSnapshotDump;
  const uint64_t snapshot = of_snapshots ? TakeSnapshotNumber(arguments.directory) : 0;
  const absl::StatusOr<Directory> directory = Open(disk, arguments);
  if (!directory.ok()) return Fail(directory.status());
  switch (arguments.command) {
    case OfflineCommand::kLogCheck:
      return LogCheck(**directory);
    case OfflineCommand::kLogDump: {
      const absl::Status dumped = DumpLog(**directory, DumpOptionsFrom(arguments), Print);
      return dumped.ok() ? 0 : Fail(dumped);
    }
    case OfflineCommand::kLogRepair:
      return LogRepair(**directory, arguments.yes);
    case OfflineCommand::kSnapshotCheck:
      return SnapshotCheck(**directory, snapshot);
    case OfflineCommand::kSnapshotDump:
      return SnapshotDump(**directory, snapshot, DumpOptionsFrom(arguments));
    case OfflineCommand::kRestore:
      return Restore(**directory, arguments);
    case OfflineCommand::kBackup:
      break;
  }
  return 1;
}

}  // namespace tidemark::tidectl
