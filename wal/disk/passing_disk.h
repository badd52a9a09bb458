// PassingDisk passes every call on to the disk below it, and PassingFile to the file: what a disk
// that changes only some of them is made of.
//
//   class FullDisk final : public wal::PassingDisk {
//     using PassingDisk::PassingDisk;
//     absl::Status MayChange() override { return absl::ResourceExhaustedError("no space"); }
//   };
//
// Threading: as the disk below. Ownership: a disk borrows the one below, a file owns its own.

#ifndef TIDEMARK_WAL_DISK_PASSING_DISK_H_
#define TIDEMARK_WAL_DISK_PASSING_DISK_H_

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

namespace tidemark::wal {

class PassingFile : public File {
 public:
  explicit PassingFile(std::unique_ptr<File> below) : below_(std::move(below)) {}

  absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_->WriteAt(offset, pieces) : may;
  }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) override {
    return below_->ReadAt(offset, bytes, out);
  }
  bool ReadAtIfCached(uint64_t offset, size_t bytes, char* out) override {
    return below_->ReadAtIfCached(offset, bytes, out);
  }
  absl::Status Sync() override {
    const absl::Status may = MayChange();
    return may.ok() ? below_->Sync() : may;
  }
  absl::Status Allocate(uint64_t bytes) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_->Allocate(bytes) : may;
  }
  absl::Status Truncate(uint64_t bytes) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_->Truncate(bytes) : may;
  }
  absl::StatusOr<uint64_t> Size() override { return below_->Size(); }

 protected:
  // Asked once before each call that changes the file or makes a change durable; an error is the
  // call's answer.
  virtual absl::Status MayChange() { return absl::OkStatus(); }

  File& below() const { return *below_; }

 private:
  const std::unique_ptr<File> below_;
};

class PassingDisk : public Disk {
 public:
  explicit PassingDisk(Disk& below) : below_(below) {}

  Disk& below() const { return below_; }

  // The file itself, not asking MayChange(): what it takes to open one differs.
  absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, Open how) override {
    return below_.OpenFile(path, how);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_.Rename(from, to) : may;
  }
  absl::Status Remove(const std::string& path) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_.Remove(path) : may;
  }
  absl::Status RemoveTree(const std::string& path) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_.RemoveTree(path) : may;
  }
  absl::Status CreateDirectory(const std::string& path) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_.CreateDirectory(path) : may;
  }
  absl::Status SyncDirectory(const std::string& path) override {
    const absl::Status may = MayChange();
    return may.ok() ? below_.SyncDirectory(path) : may;
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return below_.List(directory);
  }
  absl::StatusOr<std::unique_ptr<DirectoryLock>> Lock(const std::string& path) override {
    return below_.Lock(path);
  }
  absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) override {
    return below_.FreeBytes(directory);
  }

 protected:
  // Asked once before each call that changes a directory or makes a change durable, but for
  // OpenFile(); an error is the call's answer.
  virtual absl::Status MayChange() { return absl::OkStatus(); }

 private:
  Disk& below_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISK_PASSING_DISK_H_
