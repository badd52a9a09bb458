// UnreadableDisk passes everything on to another disk, but for reads while it is told to fail them,
// as a device with bad sectors or a pulled cable does. For tests.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_TIER_UNREADABLE_DISK_H_
#define TIDEMARK_TIER_UNREADABLE_DISK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/passing_disk.h"

namespace tidemark::tier {

class UnreadableDisk final : public wal::PassingDisk {
 public:
  using PassingDisk::PassingDisk;

  void set_unreadable(bool unreadable) { unreadable_ = unreadable; }

  absl::StatusOr<std::unique_ptr<wal::File>> OpenFile(const std::string& path, Open how) override {
    auto file = below().OpenFile(path, how);
    if (!file.ok()) return file.status();
    return std::make_unique<UnreadableFile>(*this, *std::move(file));
  }

 private:
  class UnreadableFile final : public wal::PassingFile {
   public:
    UnreadableFile(const UnreadableDisk& disk, std::unique_ptr<wal::File> below)
        : PassingFile(std::move(below)), disk_(disk) {}
    absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) override {
      if (disk_.unreadable_) return absl::InternalError("read: Input/output error");
      return PassingFile::ReadAt(offset, bytes, out);
    }
    bool ReadAtIfCached(uint64_t offset, size_t bytes, char* out) override {
      return !disk_.unreadable_ && PassingFile::ReadAtIfCached(offset, bytes, out);
    }

   private:
    const UnreadableDisk& disk_;
  };

  bool unreadable_ = false;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_UNREADABLE_DISK_H_
