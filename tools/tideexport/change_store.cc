#include "tools/tideexport/change_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/statusor.h"
#include "tools/tideexport/resume_file.h"

namespace tidemark::tideexport {
namespace {

absl::Status Failed(const std::string& path) {
  return absl::FailedPreconditionError(fmt::format("{}: {}", path, std::strerror(errno)));
}

}  // namespace

ChangeStore::~ChangeStore() {
  if (!options_.output_file.empty() && output_ >= 0) ::close(output_);
}

absl::Status ChangeStore::Open() {
  std::optional<Checkpoint> checkpoint;
  if (!options_.resume_file.empty()) {
    absl::StatusOr<std::optional<Checkpoint>> loaded = LoadCheckpoint(options_.resume_file);
    if (!loaded.ok()) return loaded.status();
    checkpoint = *std::move(loaded);
  }
  if (checkpoint) position_ = committed_ = checkpoint->position;
  if (options_.output_file.empty()) {
    if (!checkpoint || !checkpoint->output_bytes) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("{} goes with an output file: name it", options_.resume_file));
  }

  output_ = ::open(options_.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  struct stat found = {};
  if (output_ < 0 || ::fstat(output_, &found) != 0) return Failed(options_.output_file);
  const auto length = static_cast<uint64_t>(found.st_size);
  const bool knows_length = checkpoint && checkpoint->output_bytes;
  bytes_ = kept_bytes_ = committed_bytes_ = knows_length ? *checkpoint->output_bytes : length;
  if (length < bytes_) {
    return absl::FailedPreconditionError(
        fmt::format("{} has {} bytes where {} says {}: changes that were stored are gone from it",
                    options_.output_file, length, options_.resume_file, bytes_));
  }
  if (length > bytes_ && ::ftruncate(output_, static_cast<off_t>(bytes_)) != 0) {
    return Failed(options_.output_file);
  }
  // From now on a crash finds where our lines begin.
  return knows_length ? absl::OkStatus() : Save();
}

absl::Status ChangeStore::Append(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = ::write(output_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::FailedPreconditionError("cannot write the changes");
    lines.remove_prefix(static_cast<size_t>(written));
    bytes_ += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

void ChangeStore::Keep(const wal::ExportPosition& position) {
  position_ = position;
  kept_bytes_ = bytes_;
}

absl::Status ChangeStore::Rollback() {
  if (options_.output_file.empty() || bytes_ == kept_bytes_) return absl::OkStatus();
  if (::ftruncate(output_, static_cast<off_t>(kept_bytes_)) != 0) {
    return Failed(options_.output_file);
  }
  bytes_ = kept_bytes_;
  return absl::OkStatus();
}

absl::Status ChangeStore::Commit() {
  if (position_ == committed_) return absl::OkStatus();
  // The lines before the position that says that they are there.
  if (!options_.output_file.empty() && ::fdatasync(output_) != 0) {
    return Failed(options_.output_file);
  }
  if (const absl::Status saved = Save(); !saved.ok()) return saved;
  committed_ = position_;
  committed_bytes_ = kept_bytes_;
  return absl::OkStatus();
}

absl::Status ChangeStore::Save() {
  if (options_.resume_file.empty()) return absl::OkStatus();
  Checkpoint checkpoint{.position = position_, .output_bytes = std::nullopt};
  if (!options_.output_file.empty()) checkpoint.output_bytes = kept_bytes_;
  const absl::Status saved = SaveCheckpoint(options_.resume_file, checkpoint);
  return saved.ok() ? saved : absl::FailedPreconditionError(saved.message());
}

}  // namespace tidemark::tideexport
