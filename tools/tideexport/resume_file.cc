#include "tools/tideexport/resume_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tidemark::tideexport {
namespace {

using Json = nlohmann::ordered_json;

absl::Status Failed(const std::string& path) {
  return absl::UnavailableError(fmt::format("{}: {}", path, std::strerror(errno)));
}

// Writes all of it and syncs.
absl::Status WriteFile(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(path);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const absl::Status status = written ? absl::OkStatus() : Failed(path);
  ::close(fd);
  return status;
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(directory);
  const absl::Status status = ::fsync(fd) == 0 ? absl::OkStatus() : Failed(directory);
  ::close(fd);
  return status;
}

// Nothing if it holds no position, or not only one.
std::optional<wal::ExportPosition> PositionOf(const Json& json) {
  if (!json.contains("history") || !json["history"].is_string() || !json.contains("positions") ||
      !json["positions"].is_array()) {
    return std::nullopt;
  }
  const std::string history = json["history"];
  uint64_t id = 0;
  const auto [end, error] =
      std::from_chars(history.data(), history.data() + history.size(), id, 16);
  if (error != std::errc() || end != history.data() + history.size() || id == 0) {
    return std::nullopt;
  }
  wal::ExportPosition position{.history = HistoryId(id), .sequences = {}};
  for (const Json& sequence : json["positions"]) {
    if (!sequence.is_number_unsigned()) return std::nullopt;
    position.sequences.push_back(Sequence(sequence.get<uint64_t>()));
  }
  return position;
}

}  // namespace

absl::StatusOr<std::optional<Checkpoint>> LoadCheckpoint(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    return Failed(path);
  }
  std::stringstream text;
  text << file.rdbuf();
  const Json json = Json::parse(text.str(), nullptr, false);
  const absl::Status wrong =
      absl::InvalidArgumentError(fmt::format("{} holds no position of an export", path));
  if (!json.is_object()) return wrong;
  Checkpoint checkpoint;
  if (json.contains("output_bytes")) {
    if (!json["output_bytes"].is_number_unsigned()) return wrong;
    checkpoint.output_bytes = json["output_bytes"].get<uint64_t>();
  }
  checkpoint.position = PositionOf(json);
  const bool is_one = checkpoint.position || (checkpoint.output_bytes && json.size() == 1);
  if (!is_one) return wrong;
  return checkpoint;
}

absl::Status SaveCheckpoint(const std::string& path, const Checkpoint& checkpoint) {
  Json json;
  if (checkpoint.position) {
    json["history"] = fmt::format("{:016x}", checkpoint.position->history.value());
    Json& positions = json["positions"] = Json::array();
    for (const Sequence sequence : checkpoint.position->sequences) {
      positions.push_back(sequence.value());
    }
  }
  if (checkpoint.output_bytes) json["output_bytes"] = *checkpoint.output_bytes;
  const std::string temporary = path + ".tmp";
  const absl::Status written = WriteFile(temporary, json.dump() + "\n");
  if (!written.ok()) return written;
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return Failed(path);
  return SyncDirectoryOf(path);
}

}  // namespace tidemark::tideexport
