#include "base/settings/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>

#include "absl/status/status.h"

namespace tidemark {
namespace {

// In the reverse order, which is how CLI11 takes a vector.
std::vector<std::string> Reversed(std::span<const char* const> arguments) {
  std::vector<std::string> reversed;
  for (const std::string_view argument : arguments) {
    // "--name=" is an empty value; CLI11 would take the next argument for it.
    if (argument.size() > 3 && argument.starts_with("--") &&
        argument.find('=') == argument.size() - 1) {
      reversed.emplace_back(argument.substr(0, argument.size() - 1));
      reversed.emplace_back();
    } else {
      reversed.emplace_back(argument);
    }
  }
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

std::string Message(const CLI::ParseError& error) {
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(NodeRole role, std::span<const char* const> arguments) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  Flags flags;
  app.add_flag("--help,-h", flags.help);
  std::array<std::string, kSettingCount> values;
  std::array<CLI::Option*, kSettingCount> options{};
  for (const SettingSpec& spec : SettingTable()) {
    if (!AppliesTo(spec, role)) continue;
    const size_t i = static_cast<size_t>(spec.id);
    options[i] = app.add_option(fmt::format("--{}", spec.name), values[i]);
  }
  try {
    app.parse(Reversed(arguments));
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: each flag is --name=value, once; --help lists them", Message(error)));
  }
  if (flags.help) return flags;
  if (const std::vector<std::string> extras = app.remaining(); !extras.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("unknown flag {}; --help lists the flags",
                    extras.front().substr(0, extras.front().find('='))));
  }
  for (const SettingSpec& spec : SettingTable()) {
    const size_t i = static_cast<size_t>(spec.id);
    if (options[i] != nullptr && options[i]->count() > 0)
      flags.given.emplace_back(spec.id, values[i]);
  }
  return flags;
}

}  // namespace tidemark
