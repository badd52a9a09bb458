#include "tier/segment_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log/log.h"
#include "tier/value_record.h"

namespace tidemark::tier {
namespace {

constexpr std::string_view kPrefix = "values-";
constexpr std::string_view kSuffix = ".seg";
constexpr size_t kDigits = 10;

bool IsSegmentName(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size()) return false;
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return false;
  const std::string_view digits = name.substr(kPrefix.size(), kDigits);
  return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void Warn(std::string_view what, const absl::Status& why) {
  const absl::string_view text = why.message();
  Log(LogLevel::kWarning, fmt::format("{}: {}", what, std::string_view(text.data(), text.size())));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentStore>> SegmentStore::Open(wal::Disk& disk,
                                                                 const std::string& directory,
                                                                 const Options& options) {
  if (absl::Status s = disk.CreateDirectory(directory); !s.ok()) return s;
  auto lock = disk.Lock(directory + "/LOCK");
  if (!lock.ok()) return lock.status();
  std::unique_ptr<SegmentStore> store(new SegmentStore(disk, directory, options, *std::move(lock)));
  if (absl::Status s = store->DeleteOld(); !s.ok()) return s;
  return store;
}

SegmentStore::SegmentStore(wal::Disk& disk, std::string directory, const Options& options,
                           std::unique_ptr<wal::DirectoryLock> lock)
    : disk_(disk),
      directory_(std::move(directory)),
      options_(options),
      lock_(std::move(lock)),
      ledger_({.max_bytes = options.max_bytes, .segment_bytes = options.segment_bytes}) {}

SegmentStore::~SegmentStore() {
  for (const auto& [number, known] : segments_) {
    // What cannot be deleted now is deleted by the next start.
    if (known.in_use) (void)disk_.Remove(known.in_use->path).ok();
  }
}

absl::Status SegmentStore::DeleteOld() {
  const auto names = disk_.List(directory_);
  if (!names.ok()) return names.status();
  size_t deleted = 0;
  for (const std::string& name : *names) {
    if (!IsSegmentName(name)) continue;
    if (absl::Status s = disk_.Remove(directory_ + "/" + name); !s.ok()) return s;
    ++deleted;
  }
  if (deleted > 0) {
    Log(LogLevel::kInfo, fmt::format("the disk tier in {} begins empty: {} segments of an earlier "
                                     "run were deleted",
                                     directory_, deleted));
  }
  return absl::OkStatus();
}

std::string SegmentStore::PathOf(uint32_t segment) const {
  return fmt::format("{}/{}{:0{}}{}", directory_, kPrefix, segment, kDigits, kSuffix);
}

bool SegmentStore::Fits(Lane lane, uint64_t planned_bytes, uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  return ledger_.Fits(lane, planned_bytes, bytes);
}

bool SegmentStore::MayCreate(Lane lane) const {
  const std::lock_guard lock(mutex_);
  return ledger_.MayCreate(lane);
}

SegmentLedger::End SegmentStore::EndOf(Lane lane) const {
  const std::lock_guard lock(mutex_);
  const auto end = ledger_.EndOf(lane);
  CHECK(end.has_value());
  return *end;
}

absl::Status SegmentStore::Create(Lane lane) {
  Seal(lane);
  uint32_t number;
  {
    const std::lock_guard lock(mutex_);
    number = ledger_.Create(lane, kValueSegmentHeaderBytes);
  }
  absl::StatusOr<std::unique_ptr<wal::File>> file = MakeFile(number);
  if (absl::IsNotFound(file.status()) && disk_.CreateDirectory(directory_).ok()) {
    // Somebody has removed the directory under us. What was in it can still be read.
    Warn("the tier's directory was gone and was made again", file.status());
    file = MakeFile(number);
  }
  const std::lock_guard lock(mutex_);
  if (!file.ok()) {
    ledger_.Seal(lane);
    ledger_.ReleaseBytes(ledger_.Remove(number));
    return file.status();
  }
  segments_[number].in_use = std::make_shared<SegmentFile>(
      SegmentFile{.number = number, .path = PathOf(number), .file = *std::move(file)});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<wal::File>> SegmentStore::MakeFile(uint32_t segment) const {
  const std::string path = PathOf(segment);
  auto file = disk_.OpenFile(path, wal::Disk::Open::kCreate);
  if (!file.ok()) return file.status();
  char header[kValueSegmentHeaderBytes];
  EncodeValueSegmentHeader({.segment = segment, .created_at_ms = options_.clock->UnixMillis()},
                           header);
  absl::Status status = (*file)->Allocate(options_.segment_bytes);
  if (status.ok()) status = (*file)->WriteAt(0, std::string_view(header, sizeof(header)));
  if (status.ok()) return file;
  (void)disk_.Remove(path).ok();  // Else it is deleted by the next start.
  return status;
}

absl::Status SegmentStore::Append(Lane lane, std::string_view records, uint64_t count) {
  const SegmentLedger::End end = EndOf(lane);
  const SegmentRef segment = Find(end.segment);
  absl::Status status = segment->file->WriteAt(end.offset, records);
  if (status.ok() && options_.sync_writes) status = segment->file->Sync();
  if (!status.ok()) {
    Seal(lane);
    return status;
  }
  const std::lock_guard lock(mutex_);
  ledger_.Commit(lane, records.size(), count);
  return absl::OkStatus();
}

void SegmentStore::Seal(Lane lane) {
  SegmentRef segment;
  uint64_t end_bytes;
  {
    const std::lock_guard lock(mutex_);
    const auto end = ledger_.EndOf(lane);
    if (!end) return;
    segment = segments_.at(end->segment).in_use;
    end_bytes = end->offset;
  }
  if (const absl::Status s = segment->file->Truncate(end_bytes); !s.ok()) {
    // It then takes more of the disk than is counted, until it is deleted.
    Warn("a full segment of the tier keeps its reserved space", s);
  }
  const std::lock_guard lock(mutex_);
  ledger_.Seal(lane);
}

size_t SegmentStore::DeleteEmpty() {
  size_t deleted = 0;
  while (true) {
    SegmentRef segment;
    {
      const std::lock_guard lock(mutex_);
      ForgetUnheld();
      const auto empty = ledger_.FindEmpty();
      if (!empty) return deleted;
      Known& known = segments_.at(*empty);
      known.removed_bytes = ledger_.Remove(*empty);
      known.held = known.in_use;
      segment = std::exchange(known.in_use, nullptr);
    }
    if (const absl::Status s = disk_.Remove(segment->path); !s.ok() && !absl::IsNotFound(s)) {
      Warn("a segment of the tier that nobody needs stays until the next start", s);
    }
    ++deleted;
  }
}

void SegmentStore::ForgetUnheld() {
  for (auto at = segments_.begin(); at != segments_.end();) {
    if (at->second.in_use != nullptr || !at->second.held.expired()) {
      ++at;
      continue;
    }
    ledger_.ReleaseBytes(at->second.removed_bytes);
    at = segments_.erase(at);
  }
}

bool SegmentStore::HasHeldFiles() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(segments_.begin(), segments_.end(),
                     [](const auto& known) { return known.second.in_use == nullptr; });
}

std::optional<uint32_t> SegmentStore::FindVictim() const {
  const std::lock_guard lock(mutex_);
  return ledger_.FindVictim();
}

uint64_t SegmentStore::EndBytes(uint32_t segment) const {
  const std::lock_guard lock(mutex_);
  return ledger_.EndBytes(segment);
}

void SegmentStore::GiveUp(uint32_t segment, bool for_good) {
  const std::lock_guard lock(mutex_);
  ledger_.GiveUp(segment, for_good);
}

void SegmentStore::Reconsider() {
  const std::lock_guard lock(mutex_);
  ledger_.Reconsider();
}

bool SegmentStore::Contains(uint32_t segment) const {
  const std::lock_guard lock(mutex_);
  return ledger_.Contains(segment);
}

SegmentRef SegmentStore::Find(uint32_t segment) const {
  const std::lock_guard lock(mutex_);
  const auto found = segments_.find(segment);
  if (found == segments_.end()) return nullptr;
  return found->second.in_use ? found->second.in_use : found->second.held.lock();
}

bool SegmentStore::Free(ValueLocation location) {
  const std::lock_guard lock(mutex_);
  return ledger_.Free(location);
}

SegmentLedger::Totals SegmentStore::totals() const {
  const std::lock_guard lock(mutex_);
  return ledger_.totals();
}

}  // namespace tidemark::tier
