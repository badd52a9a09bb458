#include "wal/export/log_export_source.h"

#include <limits>
#include <utility>
#include <vector>

#include "base/log/log.h"
#include "fmt/format.h"
#include "wal/export/log_export_cursor.h"
#include "wal/snapshot_reader.h"

namespace tidemark::wal {

LogExportSource::LogExportSource(const DataDirectory& directory, const LiveLog& log,
                                 Retention& retention, uint64_t retain_bytes)
    : directory_(directory), log_(log), retention_(retention), retain_bytes_(retain_bytes) {}

LogExportSource::~LogExportSource() = default;

ExportPosition LogExportSource::Durable() {
  return {.history = log_.history(), .sequences = log_.DurableCut()};
}

std::unique_ptr<Retention::Hold> LogExportSource::Register(const std::string& consumer,
                                                           uint64_t segment) {
  return retention_.Register(
      {.name = fmt::format("export consumer {}", consumer),
       .cap_bytes = retain_bytes_,
       .on_lost =
           [consumer](const Retention::LostReader& lost) {
             tidemark::Log(
                 LogLevel::kError,
                 fmt::format("consumer {} has lost its position: it needs the log from segment {} "
                             "on, {} bytes, and export_retain_bytes keeps {} for it",
                             consumer, lost.segment, lost.kept_bytes, lost.cap_bytes));
           }},
      segment);
}

ExportOpened LogExportSource::Open(const std::string& consumer, const ExportStart& start) {
  // Keeps all until it is known what is needed; the consumer's earlier hold stays if this fails.
  const std::unique_ptr<Retention::Hold> guard =
      retention_.Register({.name = fmt::format("export consumer {} (joining)", consumer),
                           .cap_bytes = std::numeric_limits<uint64_t>::max(),
                           .on_lost = nullptr},
                          0);
  ExportOpened opened = [&] {
    switch (start.from) {
      case ExportStart::From::kPosition:
        return OpenAt(start.position);
      case ExportStart::From::kBeginning:
        return OpenBeginning();
      case ExportStart::From::kSnapshot:
        return OpenSnapshot();
      case ExportStart::From::kNow:
        break;
    }
    return OpenAt(Durable());
  }();
  if (auto* cursor = std::get_if<std::unique_ptr<ExportCursor>>(&opened)) {
    auto* of_log = static_cast<LogExportCursor*>(cursor->get());
    std::unique_ptr<Retention::Hold>& hold = holds_[consumer];
    hold = Register(consumer, of_log->first_segment());
    of_log->set_hold(hold.get());
  }
  return opened;
}

ExportOpened LogExportSource::OpenAt(ExportPosition position) {
  std::vector<LostRecords> lost;
  absl::StatusOr<std::unique_ptr<LogReader>> reader =
      LogReader::Open(directory_, &log_, position.history, position.sequences, &lost);
  if (!reader.ok()) return FaultOf(reader.status(), lost);
  return std::make_unique<LogExportCursor>(std::move(position), log_.manifest(), *std::move(reader),
                                           std::vector<std::unique_ptr<SnapshotShardReader>>());
}

ExportOpened LogExportSource::OpenBeginning() {
  const std::vector<History>& histories = log_.manifest().histories;
  // A log that was opened without a manifest's history, as tests may: it has no other.
  if (histories.empty()) {
    return OpenAt({.history = log_.history(), .sequences = Watermarks(log_.shard_count())});
  }
  const History& oldest = histories.front();
  if (oldest.parent != HistoryId()) {
    return ExportFault{.kind = ExportFault::Kind::kPositionLost,
                       .text = "the oldest histories of this node are forgotten",
                       .lost = {}};
  }
  return OpenAt({.history = oldest.id, .sequences = Watermarks(oldest.shard_count, Sequence())});
}

ExportOpened LogExportSource::OpenSnapshot() {
  const absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSnapshots();
  if (!numbers.ok()) return FaultOf(numbers.status(), {});
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    const absl::StatusOr<std::unique_ptr<SnapshotReader>> snapshot =
        SnapshotReader::Open(directory_.disk(), directory_.SnapshotPath(*number),
                             {.directory = directory_.id(), .number = *number});
    if (!snapshot.ok()) continue;  // Damaged, or pruned by now: the one before it does as well.
    const SnapshotManifest& manifest = (*snapshot)->manifest();
    ExportPosition position{.history = manifest.history,
                            .sequences = SequencesOf(manifest.watermarks())};
    // All files are opened now: an open one outlives its pruning.
    std::vector<std::unique_ptr<SnapshotShardReader>> chunks;
    for (size_t shard = 0; shard < manifest.shards.size(); ++shard) {
      absl::StatusOr<std::unique_ptr<SnapshotShardReader>> reader =
          (*snapshot)->OpenShard(ShardId(static_cast<uint16_t>(shard)));
      if (!reader.ok()) break;
      chunks.push_back(*std::move(reader));
    }
    if (chunks.size() != manifest.shards.size()) continue;
    absl::StatusOr<std::unique_ptr<LogReader>> reader =
        LogReader::Open(directory_, &log_, position.history, position.sequences);
    if (!reader.ok()) continue;
    return std::make_unique<LogExportCursor>(std::move(position), log_.manifest(),
                                             *std::move(reader), std::move(chunks));
  }
  ExportOpened beginning = OpenBeginning();
  if (auto* fault = std::get_if<ExportFault>(&beginning);
      fault != nullptr && fault->kind == ExportFault::Kind::kPositionLost) {
    fault->kind = ExportFault::Kind::kNoSnapshot;
    fault->text =
        "there is no snapshot to begin with, and the log no longer goes back to its start";
  }
  return beginning;
}

void LogExportSource::Keep(const std::string& consumer, uint64_t segment) {
  holds_[consumer] = Register(consumer, segment);
}

void LogExportSource::Forget(const std::string& consumer) { holds_.erase(consumer); }

bool LogExportSource::Lost(const std::string& consumer) const {
  const auto it = holds_.find(consumer);
  return it != holds_.end() && it->second->lost();
}

}  // namespace tidemark::wal
