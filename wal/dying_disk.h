// DyingDisk passes everything on to another disk until it has done so a given number of times; from
// then on every call that changes something fails, as if the process had been stopped there. For
// tests that stop at each call in turn.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_WAL_DYING_DISK_H_
#define TIDEMARK_WAL_DYING_DISK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/passing_disk.h"

namespace tidemark::wal {

class DyingDisk final : public PassingDisk {
 public:
  using PassingDisk::PassingDisk;

  // The next `calls` calls that change something work.
  void DieAfter(uint64_t calls) {
    limited_ = true;
    calls_left_ = calls;
  }
  bool dead() const { return limited_ && calls_left_ == 0; }

  absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, Open how) override {
    if (how == Open::kCreate) {
      if (const absl::Status may = MayChange(); !may.ok()) return may;
    }
    auto file = below().OpenFile(path, how);
    if (!file.ok()) return file.status();
    return std::make_unique<DyingFile>(*this, *std::move(file));
  }

 private:
  class DyingFile final : public PassingFile {
   public:
    DyingFile(DyingDisk& disk, std::unique_ptr<File> below)
        : PassingFile(std::move(below)), disk_(disk) {}

   private:
    absl::Status MayChange() override { return disk_.MayChange(); }

    DyingDisk& disk_;
  };

  absl::Status MayChange() override {
    if (!limited_) return absl::OkStatus();
    if (calls_left_ == 0) return absl::InternalError("the process was stopped");
    --calls_left_;
    return absl::OkStatus();
  }

  bool limited_ = false;
  uint64_t calls_left_ = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DYING_DISK_H_
