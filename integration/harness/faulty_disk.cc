#include "integration/harness/faulty_disk.h"

#include <unistd.h>

#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

namespace tidemark::integration {

class FaultyFile final : public wal::File {
 public:
  FaultyFile(FaultyDisk& disk, std::unique_ptr<wal::File> below, std::string path)
      : disk_(disk), below_(std::move(below)), path_(std::move(path)) {}

  absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) override {
    uint64_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    if (disk_.TearsNow(path_)) {
      // From the front, as a system does that was interrupted; whole pieces, then a part of one.
      uint64_t left = bytes / 2;
      for (const std::string_view piece : pieces) {
        const std::string_view part = piece.substr(0, left);
        if (absl::Status s = below_->WriteAt(offset, std::span(&part, 1)); !s.ok()) return s;
        offset += part.size();
        left -= part.size();
        if (left == 0) break;
      }
      disk_.options_.on_torn_write();
    }
    if (disk_.IsOn("full")) {
      const absl::StatusOr<uint64_t> size = below_->Size();
      if (!size.ok()) return size.status();
      if (offset + bytes > *size) return Full();
    }
    return below_->WriteAt(offset, pieces);
  }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) override {
    return below_->ReadAt(offset, bytes, out);
  }
  absl::Status Sync() override {
    while (disk_.IsOn("stalled")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (disk_.IsOn("eio")) return absl::InternalError("fdatasync " + path_ + ": injected error");
    return below_->Sync();
  }
  absl::Status Allocate(uint64_t bytes) override {
    return disk_.IsOn("full") ? Full() : below_->Allocate(bytes);
  }
  absl::Status Truncate(uint64_t bytes) override { return below_->Truncate(bytes); }
  absl::StatusOr<uint64_t> Size() override { return below_->Size(); }

 private:
  absl::Status Full() const {
    return absl::ResourceExhaustedError("write " + path_ + ": injected: no space");
  }

  FaultyDisk& disk_;
  const std::unique_ptr<wal::File> below_;
  const std::string path_;
};

FaultyDisk::FaultyDisk(wal::Disk& below, Options options)
    : below_(below), options_(std::move(options)) {}

bool FaultyDisk::IsOn(const char* fault) const {
  return !options_.switches.empty() && access((options_.switches + "/" + fault).c_str(), F_OK) == 0;
}

bool FaultyDisk::TearsNow(const std::string& path) {
  return options_.torn_write > 0 && path.ends_with(".seg") &&
         segment_writes_.fetch_add(1) + 1 == options_.torn_write;
}

absl::StatusOr<std::unique_ptr<wal::File>> FaultyDisk::OpenFile(const std::string& path, Open how) {
  if (how == Open::kCreate && IsOn("full")) {
    return absl::ResourceExhaustedError("open " + path + ": injected: no space");
  }
  absl::StatusOr<std::unique_ptr<wal::File>> file = below_.OpenFile(path, how);
  if (!file.ok()) return file.status();
  return std::make_unique<FaultyFile>(*this, *std::move(file), path);
}

absl::Status FaultyDisk::Rename(const std::string& from, const std::string& to) {
  return below_.Rename(from, to);
}
absl::Status FaultyDisk::Remove(const std::string& path) { return below_.Remove(path); }
absl::Status FaultyDisk::RemoveTree(const std::string& path) { return below_.RemoveTree(path); }
absl::Status FaultyDisk::CreateDirectory(const std::string& path) {
  return below_.CreateDirectory(path);
}
absl::Status FaultyDisk::SyncDirectory(const std::string& path) {
  return below_.SyncDirectory(path);
}
absl::StatusOr<std::vector<std::string>> FaultyDisk::List(const std::string& directory) {
  return below_.List(directory);
}
absl::StatusOr<std::unique_ptr<wal::DirectoryLock>> FaultyDisk::Lock(const std::string& path) {
  return below_.Lock(path);
}
absl::StatusOr<uint64_t> FaultyDisk::FreeBytes(const std::string& directory) {
  return below_.FreeBytes(directory);
}

}  // namespace tidemark::integration
