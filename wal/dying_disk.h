// DyingDisk passes everything on to another disk until it has done so a given number of times; from
// then on every call fails, as if the process had been stopped there. For tests that stop at each
// call in turn.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_WAL_DYING_DISK_H_
#define TIDEMARK_WAL_DYING_DISK_H_

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

namespace tidemark::wal {

class DyingDisk final : public Disk {
 public:
  explicit DyingDisk(Disk& disk) : disk_(disk) {}

  // The next `calls` calls that change something work.
  void DieAfter(uint64_t calls) {
    limited_ = true;
    calls_left_ = calls;
  }
  bool dead() const { return limited_ && calls_left_ == 0; }

  absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, Open how) override {
    if (how == Open::kCreate && !Live()) return Dead();
    auto file = disk_.OpenFile(path, how);
    if (!file.ok()) return file.status();
    return std::make_unique<DyingFile>(*this, *std::move(file));
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Live() ? disk_.Rename(from, to) : Dead();
  }
  absl::Status Remove(const std::string& path) override {
    return Live() ? disk_.Remove(path) : Dead();
  }
  absl::Status RemoveTree(const std::string& path) override {
    return Live() ? disk_.RemoveTree(path) : Dead();
  }
  absl::Status CreateDirectory(const std::string& path) override {
    return Live() ? disk_.CreateDirectory(path) : Dead();
  }
  absl::Status SyncDirectory(const std::string& path) override {
    return Live() ? disk_.SyncDirectory(path) : Dead();
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return disk_.List(directory);
  }
  absl::StatusOr<std::unique_ptr<DirectoryLock>> Lock(const std::string& path) override {
    return disk_.Lock(path);
  }
  absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) override {
    return disk_.FreeBytes(directory);
  }

 private:
  class DyingFile final : public File {
   public:
    DyingFile(DyingDisk& disk, std::unique_ptr<File> file) : disk_(disk), file_(std::move(file)) {}
    absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) override {
      return disk_.Live() ? file_->WriteAt(offset, pieces) : Dead();
    }
    absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) override {
      return file_->ReadAt(offset, bytes, out);
    }
    absl::Status Sync() override { return disk_.Live() ? file_->Sync() : Dead(); }
    absl::Status Allocate(uint64_t bytes) override {
      return disk_.Live() ? file_->Allocate(bytes) : Dead();
    }
    absl::Status Truncate(uint64_t bytes) override {
      return disk_.Live() ? file_->Truncate(bytes) : Dead();
    }
    absl::StatusOr<uint64_t> Size() override { return file_->Size(); }

   private:
    DyingDisk& disk_;
    const std::unique_ptr<File> file_;
  };

  bool Live() {
    if (!limited_) return true;
    if (calls_left_ == 0) return false;
    --calls_left_;
    return true;
  }
  static absl::Status Dead() { return absl::InternalError("the process was stopped"); }

  Disk& disk_;
  bool limited_ = false;
  uint64_t calls_left_ = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DYING_DISK_H_
