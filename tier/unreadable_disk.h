// UnreadableDisk passes everything on to another disk, but for reads while it is told to fail them,
// as a device with bad sectors or a pulled cable does. For tests.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_TIER_UNREADABLE_DISK_H_
#define TIDEMARK_TIER_UNREADABLE_DISK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/disk.h"

namespace tidemark::tier {

class UnreadableDisk final : public wal::Disk {
 public:
  explicit UnreadableDisk(wal::Disk& disk) : disk_(disk) {}

  void set_unreadable(bool unreadable) { unreadable_ = unreadable; }

  absl::StatusOr<std::unique_ptr<wal::File>> OpenFile(const std::string& path, Open how) override {
    auto file = disk_.OpenFile(path, how);
    if (!file.ok()) return file.status();
    return std::make_unique<PassingFile>(*this, *std::move(file));
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return disk_.Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override { return disk_.Remove(path); }
  absl::Status RemoveTree(const std::string& path) override { return disk_.RemoveTree(path); }
  absl::Status CreateDirectory(const std::string& path) override {
    return disk_.CreateDirectory(path);
  }
  absl::Status SyncDirectory(const std::string& path) override { return disk_.SyncDirectory(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return disk_.List(directory);
  }
  absl::StatusOr<std::unique_ptr<wal::DirectoryLock>> Lock(const std::string& path) override {
    return disk_.Lock(path);
  }
  absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) override {
    return disk_.FreeBytes(directory);
  }

 private:
  class PassingFile final : public wal::File {
   public:
    PassingFile(const UnreadableDisk& disk, std::unique_ptr<wal::File> file)
        : disk_(disk), file_(std::move(file)) {}
    absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) override {
      return file_->WriteAt(offset, pieces);
    }
    absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) override {
      if (disk_.unreadable_) return absl::InternalError("read: Input/output error");
      return file_->ReadAt(offset, bytes, out);
    }
    absl::Status Sync() override { return file_->Sync(); }
    absl::Status Allocate(uint64_t bytes) override { return file_->Allocate(bytes); }
    absl::Status Truncate(uint64_t bytes) override { return file_->Truncate(bytes); }
    absl::StatusOr<uint64_t> Size() override { return file_->Size(); }

   private:
    const UnreadableDisk& disk_;
    const std::unique_ptr<wal::File> file_;
  };

  wal::Disk& disk_;
  bool unreadable_ = false;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_UNREADABLE_DISK_H_
