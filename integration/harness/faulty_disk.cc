#include "integration/harness/faulty_disk.h"

#include <unistd.h>

#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

namespace tidemark::integration {

class FaultyFile final : public wal::PassingFile {
 public:
  FaultyFile(FaultyDisk& disk, std::unique_ptr<wal::File> below, std::string path)
      : PassingFile(std::move(below)), disk_(disk), path_(std::move(path)) {}

  absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) override {
    uint64_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    if (disk_.TearsNow(path_)) {
      // From the front, as a system does that was interrupted; whole pieces, then a part of one.
      uint64_t left = bytes / 2;
      for (const std::string_view piece : pieces) {
        const std::string_view part = piece.substr(0, left);
        if (absl::Status s = PassingFile::WriteAt(offset, std::span(&part, 1)); !s.ok()) return s;
        offset += part.size();
        left -= part.size();
        if (left == 0) break;
      }
      disk_.options_.on_torn_write();
    }
    if (disk_.IsOn("full")) {
      const absl::StatusOr<uint64_t> size = Size();
      if (!size.ok()) return size.status();
      if (offset + bytes > *size) return Full();
    }
    return PassingFile::WriteAt(offset, pieces);
  }
  absl::Status Sync() override {
    while (disk_.IsOn("stalled")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (disk_.IsOn("eio")) return absl::InternalError("fdatasync " + path_ + ": injected error");
    return PassingFile::Sync();
  }
  absl::Status Allocate(uint64_t bytes) override {
    return disk_.IsOn("full") ? Full() : PassingFile::Allocate(bytes);
  }

 private:
  absl::Status Full() const {
    return absl::ResourceExhaustedError("write " + path_ + ": injected: no space");
  }

  FaultyDisk& disk_;
  const std::string path_;
};

FaultyDisk::FaultyDisk(wal::Disk& below, Options options)
    : PassingDisk(below), options_(std::move(options)) {}

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
  absl::StatusOr<std::unique_ptr<wal::File>> file = below().OpenFile(path, how);
  if (!file.ok()) return file.status();
  return std::make_unique<FaultyFile>(*this, *std::move(file), path);
}

}  // namespace tidemark::integration
