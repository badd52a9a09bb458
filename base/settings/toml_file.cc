#include "base/settings/toml_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

namespace tidemark {
namespace {

// Requires: errno tells why.
absl::Status FileError(std::string_view doing, const std::string& path) {
  const int error = errno;
  return absl::Status(absl::ErrnoToStatusCode(error),
                      fmt::format("cannot {} {}: {}", doing, path, std::strerror(error)));
}

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError("open", path);
  std::string text;
  char piece[8192];
  ssize_t got = 0;
  while ((got = read(fd, piece, sizeof piece)) > 0) text.append(piece, static_cast<size_t>(got));
  absl::Status status = got < 0 ? FileError("read", path) : absl::OkStatus();
  close(fd);
  if (!status.ok()) return status;
  return text;
}

// toml++ reports bad text by exception; none passes this function.
absl::StatusOr<toml::table> Parse(std::string_view text, const std::string& path) {
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
}

// The value in the words of Settings::Set(); none for a kind that no setting has.
std::optional<std::string> TextOf(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "yes" : "no";
  return std::nullopt;
}

// The byte that a line and column (in code points, both from 1) stand for.
size_t OffsetOf(std::string_view text, toml::source_position position) {
  size_t offset = 0;
  for (toml::source_index line = 1; line < position.line; ++line) {
    offset = text.find('\n', offset) + 1;
  }
  const auto continues = [&](size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  for (toml::source_index column = 1; column < position.column; ++column) {
    do {
      ++offset;
    } while (continues(offset));
  }
  return std::min(offset, text.size());
}

absl::StatusOr<std::string> WithEntries(std::string text, const std::string& path,
                                        std::span<const TomlEntry> entries) {
  bool appended = false;
  for (const TomlEntry& entry : entries) {
    // Parsed again for each: a replacement moves what follows it.
    absl::StatusOr<toml::table> table = Parse(text, path);
    if (!table.ok()) return table.status();
    if (const toml::node* node = table->get(entry.name)) {
      const size_t begin = OffsetOf(text, node->source().begin);
      const size_t end = OffsetOf(text, node->source().end);
      text.replace(begin, end - begin, entry.value);
      continue;
    }
    if (!text.empty() && text.back() != '\n') text.push_back('\n');
    if (!std::exchange(appended, true)) text += "# Set while running, written by CONFIG REWRITE.\n";
    text += fmt::format("{} = {}\n", entry.name, entry.value);
  }
  return text;
}

// Writes and syncs all of `text`; closes `fd`.
bool WriteAndClose(int fd, std::string_view text) {
  bool ok = true;
  while (ok && !text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    ok = wrote >= 0;
    if (ok) text.remove_prefix(static_cast<size_t>(wrote));
  }
  ok = ok && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  return ok;
}

// A rename is durable once its directory is.
bool SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd >= 0 && WriteAndClose(fd, "");
}

}  // namespace

absl::StatusOr<std::vector<TomlEntry>> ReadTomlFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadWhole(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<toml::table> table = Parse(*text, path);
  if (!table.ok()) return table.status();
  std::vector<TomlEntry> entries;
  for (const auto& [key, node] : *table) {
    const int line = static_cast<int>(key.source().begin.line);
    std::optional<std::string> value = TextOf(node);
    if (!value) {
      return absl::InvalidArgumentError(fmt::format(
          "{}:{}: {} must be a string, a whole number, true or false", path, line, key.str()));
    }
    entries.push_back({.name = std::string(key.str()), .value = *std::move(value), .line = line});
  }
  std::sort(entries.begin(), entries.end(),
            [](const TomlEntry& a, const TomlEntry& b) { return a.line < b.line; });
  return entries;
}

absl::Status RewriteTomlFile(const std::string& path, std::span<const TomlEntry> entries) {
  // Through a symbolic link: rename() would replace the link.
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr),
                                                             &std::free);
  if (resolved == nullptr) return FileError("find", path);
  const std::string target = resolved.get();

  absl::StatusOr<std::string> old_text = ReadWhole(target);
  if (!old_text.ok()) return old_text.status();
  absl::StatusOr<std::string> text = WithEntries(*std::move(old_text), target, entries);
  if (!text.ok()) return text.status();

  struct stat info = {};
  if (stat(target.c_str(), &info) != 0) return FileError("look at", target);
  std::string temporary = target + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return FileError("create", temporary);
  // mkostemp() made it readable by its owner only, which it stays until it is whole.
  const bool mode_kept = fchmod(fd, info.st_mode & 07777) == 0;
  if (!WriteAndClose(fd, *text) || !mode_kept ||
      std::rename(temporary.c_str(), target.c_str()) != 0) {
    absl::Status status = FileError("write", temporary);
    unlink(temporary.c_str());
    return status;
  }
  const std::string directory = target.substr(0, target.rfind('/') + 1);
  if (!SyncDirectory(directory)) return FileError("sync", directory);
  return absl::OkStatus();
}

std::string TomlString(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted.push_back('\\');
      quoted.push_back(c);
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += fmt::format("\\u{:04X}", byte);
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + '"';
}

}  // namespace tidemark
