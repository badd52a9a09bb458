#include "wal/data_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/crash_point.h"
#include "wal/disk/whole_file.h"
#include "wal/format/envelope.h"

namespace tidemark::wal {
namespace {

constexpr std::string_view kSegmentPrefix = "wal-";
constexpr std::string_view kSegmentSuffix = ".seg";
constexpr std::string_view kSnapshotPrefix = "snapshot-";
constexpr std::string_view kManifestName = "MANIFEST";
constexpr std::string_view kLockName = "LOCK";

// So that names sort as their numbers do: 2^64 has 20 digits.
constexpr size_t kDigits = 20;

absl::Status About(const std::string& path, const absl::Status& problem) {
  return absl::Status(problem.code(), fmt::format("{}: {}", path, std::string(problem.message())));
}

// The number in "<prefix><20 digits><suffix>"; none for any other name, and for 0 and what does not
// fit.
std::optional<uint64_t> NumberIn(std::string_view name, std::string_view prefix,
                                 std::string_view suffix) {
  if (name.size() != prefix.size() + kDigits + suffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(suffix)) {
    return std::nullopt;
  }
  uint64_t number = 0;
  for (const char c : name.substr(prefix.size(), kDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(number, uint64_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<uint64_t>(c - '0'), &number)) {
      return std::nullopt;
    }
  }
  if (number == 0) return std::nullopt;
  return number;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(Disk& disk,
                                                                   const std::string& path,
                                                                   DirectoryId if_new) {
  CHECK(if_new != DirectoryId());
  if (absl::Status s = disk.CreateDirectory(path); !s.ok()) return s;
  if (absl::Status s = disk.SyncDirectory(DirectoryOf(path)); !s.ok()) return s;
  auto directory = std::unique_ptr<DataDirectory>(new DataDirectory(disk, path));
  absl::StatusOr<std::unique_ptr<DirectoryLock>> lock = disk.Lock(directory->PathOf(kLockName));
  if (!lock.ok()) return lock.status();
  directory->lock_ = *std::move(lock);
  if (absl::Status s = directory->RemoveHalfMade(); !s.ok()) return s;
  if (absl::Status s = directory->Load(if_new); !s.ok()) return s;
  return directory;
}

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::OpenExisting(Disk& disk,
                                                                           const std::string& path,
                                                                           Access access) {
  auto directory = std::unique_ptr<DataDirectory>(new DataDirectory(disk, path));
  // First of all: a lock on what is no data directory would leave a file behind.
  if (absl::Status s = directory->LoadManifest(); !s.ok()) return s;
  if (access == Access::kLive) return directory;
  absl::StatusOr<std::unique_ptr<DirectoryLock>> lock = disk.Lock(directory->PathOf(kLockName));
  if (!lock.ok()) return lock.status();
  directory->lock_ = *std::move(lock);
  // Whoever held it until now may have changed it.
  if (absl::Status s = directory->LoadManifest(); !s.ok()) return s;
  return directory;
}

absl::Status DataDirectory::WriteManifest(Disk& disk, const std::string& path,
                                          const Manifest& manifest) {
  return WriteFileAtomically(disk, fmt::format("{}/{}", path, kManifestName),
                             EncodeManifest(manifest));
}

absl::Status DataDirectory::RemoveHalfMade() const {
  const absl::StatusOr<std::vector<std::string>> names = disk_.List(path_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const bool ours = name.starts_with(kSnapshotPrefix) || name.starts_with(kManifestName) ||
                      name.starts_with("consumers");
    if (!ours || !name.ends_with(kTemporarySuffix)) continue;
    if (absl::Status s = disk_.RemoveTree(PathOf(name)); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status DataDirectory::LoadManifest() {
  const std::string manifest_path = PathOf(kManifestName);
  const absl::StatusOr<std::string> file =
      ReadWholeFile(disk_, manifest_path, kMaxEnvelopeFileBytes);
  if (!file.ok()) return file.status();
  absl::StatusOr<Manifest> manifest = DecodeManifest(*file);
  if (!manifest.ok()) return About(manifest_path, manifest.status());
  manifest_ = *std::move(manifest);
  id_ = manifest_.directory;
  return absl::OkStatus();
}

absl::Status DataDirectory::Load(DirectoryId if_new) {
  const absl::Status loaded = LoadManifest();
  if (!absl::IsNotFound(loaded)) return loaded;
  // A new manifest would make strangers of everything that is there.
  const absl::StatusOr<std::vector<uint64_t>> segments = ListSegments();
  if (!segments.ok()) return segments.status();
  const absl::StatusOr<std::vector<uint64_t>> snapshots = ListSnapshots();
  if (!snapshots.ok()) return snapshots.status();
  if (!segments->empty() || !snapshots->empty()) {
    return absl::FailedPreconditionError(fmt::format(
        "{} is missing, though {} segments and {} snapshots are there: put it back, or move them "
        "away to start empty",
        PathOf(kManifestName), segments->size(), snapshots->size()));
  }
  id_ = if_new;
  return Save({.directory = if_new, .histories = {}, .clean_stop = std::nullopt});
}

absl::Status DataDirectory::Save(Manifest manifest) {
  CHECK(manifest.directory == id_);
  absl::Status s = WriteFileAtomically(disk_, PathOf(kManifestName), EncodeManifest(manifest));
  if (!s.ok()) return s;
  CrashPoint("manifest.saved");
  manifest_ = std::move(manifest);
  return absl::OkStatus();
}

std::string DataDirectory::PathOf(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

std::string DataDirectory::SegmentPath(uint64_t number) const {
  return PathOf(fmt::format("{}{:020}{}", kSegmentPrefix, number, kSegmentSuffix));
}

std::string DataDirectory::SnapshotPath(uint64_t number) const {
  return PathOf(fmt::format("{}{:020}", kSnapshotPrefix, number));
}

std::string DataDirectory::SnapshotTemporaryPath(uint64_t number) const {
  return SnapshotPath(number) + std::string(kTemporarySuffix);
}

std::string DataDirectory::ConsumersPath() const { return PathOf("consumers"); }

absl::StatusOr<std::string> DataDirectory::MakeLostPath(std::string_view name) const {
  const std::string lost = PathOf("lost");
  if (absl::Status s = disk_.CreateDirectory(lost); !s.ok()) return s;
  if (absl::Status s = disk_.SyncDirectory(path_); !s.ok()) return s;
  return fmt::format("{}/{}", lost, name);
}

absl::StatusOr<std::vector<uint64_t>> DataDirectory::ListSegments() const {
  return ListNumbers(kSegmentPrefix, kSegmentSuffix);
}

absl::StatusOr<std::vector<uint64_t>> DataDirectory::ListSnapshots() const {
  return ListNumbers(kSnapshotPrefix, "");
}

absl::Status DataDirectory::RemoveSnapshot(uint64_t number) const {
  const std::string doomed = SnapshotTemporaryPath(number);
  if (absl::Status s = disk_.Rename(SnapshotPath(number), doomed); !s.ok()) return s;
  // Or a power cut could leave the old name on a directory that has lost its files.
  if (absl::Status s = Sync(); !s.ok()) return s;
  CrashPoint("prune.snapshot_renamed");
  const absl::Status removed = disk_.RemoveTree(doomed);
  CrashPoint("prune.snapshot_removed");
  return removed;
}

absl::StatusOr<std::vector<uint64_t>> DataDirectory::ListNumbers(std::string_view prefix,
                                                                 std::string_view suffix) const {
  const absl::StatusOr<std::vector<std::string>> names = disk_.List(path_);
  if (!names.ok()) return names.status();
  std::vector<uint64_t> numbers;  // Sorted, as the names are.
  for (const std::string& name : *names) {
    if (const std::optional<uint64_t> number = NumberIn(name, prefix, suffix)) {
      numbers.push_back(*number);
    }
  }
  return numbers;
}

}  // namespace tidemark::wal
