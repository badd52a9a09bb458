#include "tools/deploy/tidelog/rotating_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace tidemark::tidelog {

absl::Status RotatingFile::Open() {
  Close();
  fd_ = open(options_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  struct stat status;
  if (fd_ < 0 || fstat(fd_, &status) != 0) {
    return absl::UnavailableError(fmt::format("{}: {}", options_.path, std::strerror(errno)));
  }
  size_bytes_ = status.st_size;
  return absl::OkStatus();
}

void RotatingFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (size_bytes_ + static_cast<int64_t>(bytes.size()) <= options_.max_bytes) {
      Append(bytes);
      return;
    }
    const size_t part = PartThatFits(bytes);
    Append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    Rotate();
  }
}

size_t RotatingFile::PartThatFits(std::string_view bytes) const {
  const int64_t room = options_.max_bytes - size_bytes_;
  if (room <= 0) return 0;
  const size_t newline = bytes.rfind('\n', static_cast<size_t>(room) - 1);
  if (newline != std::string_view::npos) return newline + 1;
  // No line ends here. It begins the next file, unless that would be no better.
  return size_bytes_ > 0 ? 0 : static_cast<size_t>(room);
}

void RotatingFile::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (fd_ < 0 && !Open().ok()) {
    dropped_bytes_ += static_cast<int64_t>(bytes.size());
    return;
  }
  const int64_t missing = dropped_bytes_ - reported_dropped_bytes_;
  if (missing > 0 &&
      AppendAll(fmt::format("tidelog: {} bytes could not be written here\n", missing))) {
    reported_dropped_bytes_ += missing;
  }
  AppendAll(bytes);
}

bool RotatingFile::AppendAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      dropped_bytes_ += static_cast<int64_t>(bytes.size());
      return false;
    }
    size_bytes_ += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void RotatingFile::Rotate() {
  Close();
  const auto numbered = [this](int i) {
    return i == 0 ? options_.path : fmt::format("{}.{}", options_.path, i);
  };
  // The oldest is overwritten by the one after it.
  for (int i = options_.kept_files; i > 0; --i) {
    std::rename(numbered(i - 1).c_str(), numbered(i).c_str());
  }
  // Where renaming fails the file would grow on: begin it anew, for the bound goes before the
  // content.
  size_bytes_ = 0;
  if (Open().ok() && size_bytes_ > 0 && ftruncate(fd_, 0) == 0) size_bytes_ = 0;
}

void RotatingFile::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace tidemark::tidelog
