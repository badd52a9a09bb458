#include "base/settings/settings_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/settings/flags.h"
#include "base/settings/toml_file.h"

namespace tidemark {
namespace {

// `status` with the place that the bad value came from in front.
absl::Status At(std::string_view place, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(fmt::format(
      "{}: {}", place, std::string_view(status.message().data(), status.message().size())));
}

std::string_view RoleName(NodeRole role) {
  return role == NodeRole::kPrimary ? "primary" : "replica";
}

std::string EnvironmentName(const SettingSpec& spec) {
  std::string name = "TIDEMARK_";
  for (char c : spec.name) {
    name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c);
  }
  return name;
}

// What the environment sets, in the order of the table. Variables for another role are left alone:
// both roles may share an environment.
std::vector<std::pair<Setting, std::string>> FromEnvironment(
    NodeRole role, std::span<const char* const> environment) {
  std::vector<std::pair<Setting, std::string>> given;
  for (const SettingSpec& spec : SettingTable()) {
    if (!AppliesTo(spec, role)) continue;
    const std::string prefix = EnvironmentName(spec) + "=";
    for (const std::string_view entry : environment) {
      if (entry.starts_with(prefix)) given.emplace_back(spec.id, entry.substr(prefix.size()));
    }
  }
  return given;
}

absl::Status ApplyFile(const std::string& path, Settings& settings) {
  absl::StatusOr<std::vector<TomlEntry>> entries = ReadTomlFile(path);
  if (!entries.ok()) return entries.status();
  for (const TomlEntry& entry : *entries) {
    const std::string place = fmt::format("{}:{}: {}", path, entry.line, entry.name);
    const SettingSpec* spec = FindSetting(entry.name);
    if (spec == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("{} is not a setting; --help lists them", place));
    }
    if (spec->id == Setting::kConfig) {
      return absl::InvalidArgumentError(fmt::format("{} cannot be set in a file", place));
    }
    if (!AppliesTo(*spec, settings.role())) {
      return absl::InvalidArgumentError(
          fmt::format("{} is not a setting of a {}", place, RoleName(settings.role())));
    }
    if (absl::Status set = At(place, settings.Set(spec->id, entry.value)); !set.ok()) return set;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Settings>> Load(NodeRole role,
                                               std::span<const char* const> arguments,
                                               std::span<const char* const> environment) {
  absl::StatusOr<Flags> flags = ParseFlags(role, arguments);
  if (!flags.ok()) return flags.status();
  if (flags->help) return nullptr;
  const auto variables = FromEnvironment(role, environment);

  std::string path;
  for (const auto& source : {variables, flags->given}) {
    for (const auto& [id, text] : source) {
      if (id == Setting::kConfig) path = text;
    }
  }
  auto settings = std::make_unique<Settings>(role);
  if (!path.empty()) {
    if (absl::Status file = ApplyFile(path, *settings); !file.ok()) return file;
  }
  for (const auto& [id, text] : variables) {
    const absl::Status set = At(EnvironmentName(SpecOf(id)), settings->Set(id, text));
    if (!set.ok()) return set;
  }
  for (const auto& [id, text] : flags->given) {
    const absl::Status set = At(fmt::format("--{}", SpecOf(id).name), settings->Set(id, text));
    if (!set.ok()) return set;
  }
  if (absl::Status valid = settings->Validate(); !valid.ok()) return valid;
  return settings;
}

// Errors repeat what the user wrote, and that may hold anything.
absl::Status OnOneLine(const absl::Status& status) {
  std::string message(status.message());
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return absl::Status(status.code(), message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Settings>> LoadSettings(NodeRole role,
                                                       std::span<const char* const> arguments,
                                                       std::span<const char* const> environment) {
  absl::StatusOr<std::unique_ptr<Settings>> settings = Load(role, arguments, environment);
  if (!settings.ok()) return OnOneLine(settings.status());
  return settings;
}

}  // namespace tidemark
