#include "base/settings/settings_page.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/settings/redis_constants.h"
#include "base/settings/setting_value.h"

namespace tidemark {
namespace {

constexpr size_t kHelpColumns = 100;
constexpr size_t kFlagIndent = 2;
constexpr size_t kHelpIndent = 6;

// The settings of one section.
std::span<const SettingSpec> RowsOf(size_t section) {
  const auto sections = SettingSections();
  const size_t begin = static_cast<size_t>(sections[section].first);
  const size_t end = section + 1 < sections.size()
                         ? static_cast<size_t>(sections[section + 1].first)
                         : kSettingCount;
  return SettingTable().subspan(begin, end - begin);
}

// Lines after the first are indented as help is.
void AppendWrapped(std::string& out, size_t first_indent, std::string_view text) {
  size_t column = 0;
  size_t indent = first_indent;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (column == 0 || column + 1 + end > kHelpColumns) {
      if (column != 0) out += '\n';
      out.append(indent, ' ');
      column = std::exchange(indent, kHelpIndent);
    } else {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out += '\n';
}

std::string DefaultShown(std::string_view text) {
  return text.empty() ? std::string("empty") : std::string(text);
}

std::string_view RolesShown(SettingRoles roles) {
  switch (roles) {
    case SettingRoles::kBoth:
      return "both";
    case SettingRoles::kPrimary:
      return "primary";
    case SettingRoles::kReplica:
      return "replica";
  }
  return "";
}

// One row of the page's tables.
std::string PageRow(const SettingSpec& spec) {
  std::string defaults = fmt::format("{}", DefaultShown(spec.default_text));
  if (spec.required) defaults = "required";
  if (!spec.replica_default.empty()) {
    defaults = fmt::format("{}; replica: {}", spec.default_text, spec.replica_default);
  }
  std::string help(spec.help);
  if (!spec.redis_name.empty() && spec.redis_name != spec.name) {
    help += fmt::format(" CONFIG GET and SET know it as `{}`.", spec.redis_name);
  }
  return fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", spec.name, defaults, Expectation(spec),
                     RolesShown(spec.roles), spec.change == SettingChange::kLive ? "yes" : "no",
                     help);
}

constexpr std::string_view kPageHead = R"(# Configuration

<!-- Written by `bazel run //tools/settings_doc`, from base/settings/settings_table.cc. -->

A setting has one name everywhere. Each source overrides those before it:

1. its default;
2. the TOML file that `--config` names: `maxclients = 500`, one setting a line, without tables;
3. the environment: `TIDEMARK_MAXCLIENTS=500`;
4. a flag: `--maxclients=500` or `--maxclients 500`.

An unknown flag, an unknown name in the file or a bad value stops the start with one line that says what
would be right, and exit status 64. Variables of the environment that name no setting are left alone.

`CONFIG SET` changes the settings that are *live*, several at once or none; `CONFIG GET` shows all.
There the names have hyphens, as Redis' do (`slowlog-max-len`). `CONFIG REWRITE` writes what `CONFIG SET` changed into
the file, which keeps its other lines. Replication tokens are never shown.

Sizes are read as Redis reads them: `1k` is 1000 bytes, `1kb` 1024; likewise `m`, `mb`, `g`, `gb`.
)";

}  // namespace

std::string HelpText(NodeRole role) {
  const std::string_view name = role == NodeRole::kPrimary ? "primary" : "replica";
  std::string out = fmt::format(
      "usage: {} [--name=value ...]\n\nEvery flag may also be a line of the file that --config "
      "names "
      "(name = value),\nor a variable TIDEMARK_NAME.\n",
      role == NodeRole::kPrimary ? "primary" : "replica --primary=HOST:PORT");
  for (size_t i = 0; i < SettingSections().size(); ++i) {
    out += fmt::format("\n{}:\n", SettingSections()[i].title);
    for (const SettingSpec& spec : RowsOf(i)) {
      if (!AppliesTo(spec, role)) continue;
      AppendWrapped(out, kFlagIndent,
                    fmt::format("--{} ({}; {})", spec.name,
                                spec.required ? std::string("required")
                                              : "default " + DefaultShown(DefaultText(spec, role)),
                                Expectation(spec)));
      AppendWrapped(out, kHelpIndent, spec.help);
    }
  }
  return out + fmt::format("\n  --help\n      Prints this page, of a {}.\n", name);
}

std::string ConfigurationPage() {
  std::string out(kPageHead);
  for (size_t i = 0; i < SettingSections().size(); ++i) {
    out += fmt::format("\n## {}\n\n", SettingSections()[i].title);
    out += "| setting | default | takes | role | live | |\n| --- | --- | --- | --- | --- | --- |\n";
    for (const SettingSpec& spec : RowsOf(i)) out += PageRow(spec);
  }
  out +=
      "\n## Constants\n\nClients of Redis ask for these. `CONFIG GET` answers them; `CONFIG SET` "
      "accepts the value\nthat they have and no other.\n\n| name | value |\n| --- | --- |\n";
  for (const RedisConstant& constant : RedisConstants()) {
    out += fmt::format("| `{}` | {} |\n", constant.name, DefaultShown(constant.value));
  }
  return out;
}

}  // namespace tidemark
