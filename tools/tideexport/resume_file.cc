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

}  // namespace

absl::StatusOr<std::optional<wal::ExportPosition>> LoadPosition(const std::string& path) {
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
  if (!json.is_object() || !json.contains("history") || !json["history"].is_string() ||
      !json.contains("positions") || !json["positions"].is_array()) {
    return wrong;
  }
  wal::ExportPosition position;
  const std::string history = json["history"];
  uint64_t id = 0;
  const auto [end, error] =
      std::from_chars(history.data(), history.data() + history.size(), id, 16);
  if (error != std::errc() || end != history.data() + history.size() || id == 0) return wrong;
  position.history = HistoryId(id);
  for (const Json& sequence : json["positions"]) {
    if (!sequence.is_number_unsigned()) return wrong;
    position.sequences.push_back(Sequence(sequence.get<uint64_t>()));
  }
  return position;
}

absl::Status SavePosition(const std::string& path, const wal::ExportPosition& position) {
  Json json;
  json["history"] = fmt::format("{:016x}", position.history.value());
  json["positions"] = Json::array();
  for (const Sequence sequence : position.sequences) json["positions"].push_back(sequence.value());
  const std::string temporary = path + ".tmp";
  const absl::Status written = WriteFile(temporary, json.dump() + "\n");
  if (!written.ok()) return written;
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return Failed(path);
  return absl::OkStatus();
}

}  // namespace tidemark::tideexport
