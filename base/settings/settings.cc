#include "base/settings/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/glob.h"
#include "base/settings/ack_policy.h"
#include "base/settings/redis_aliases.h"
#include "base/settings/redis_constants.h"
#include "base/settings/toml_file.h"
#include "base/text.h"

namespace tidemark {
namespace {

// The name that CONFIG GET and CONFIG SET know a setting by.
std::string ConfigName(const SettingSpec& spec) {
  if (!spec.redis_name.empty()) return std::string(spec.redis_name);
  std::string name(spec.name);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

const SettingSpec* FindByConfigName(std::string_view name, NodeRole role) {
  for (const SettingSpec& spec : SettingTable()) {
    if (!AppliesTo(spec, role)) continue;
    if (EqualsIgnoreCase(name, ConfigName(spec)) || EqualsIgnoreCase(name, spec.name)) {
      return &spec;
    }
  }
  return nullptr;
}

const RedisConstant* FindConstant(std::string_view name) {
  for (const RedisConstant& constant : RedisConstants()) {
    if (EqualsIgnoreCase(name, constant.name)) return &constant;
  }
  return nullptr;
}

const RedisAlias* FindAlias(std::string_view name) {
  for (const RedisAlias& alias : RedisAliases()) {
    if (EqualsIgnoreCase(name, alias.name)) return &alias;
  }
  return nullptr;
}

// Redis answers its own secret, requirepass, to whoever may ask; ours stay hidden.
std::string Shown(const SettingSpec& spec, std::string text) {
  if (spec.type == SettingType::kSecret && spec.redis_name.empty() && !text.empty()) {
    return "(hidden)";
  }
  return text;
}

// Why the node cannot keep what `ack` promises; empty: it can.
std::string_view WhyNotAck(std::string_view ack, Fsync fsync, bool has_data_dir) {
  const std::optional<AckPolicy> policy = ParseAckPolicy(ack);
  CHECK(policy.has_value());  // The setting keeps nothing else.
  return WhyNotAck(*policy, has_data_dir, fsync == Fsync::kNever);
}

absl::Status SetFailed(std::string_view name, std::string_view detail) {
  return absl::InvalidArgumentError(
      fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, detail));
}

}  // namespace

Settings::Settings(NodeRole role) : role_(role) {
  for (const SettingSpec& spec : SettingTable()) {
    const std::string_view text = DefaultText(spec, role);
    if (text.empty()) {
      numbers_[Index(spec.id)] = 0;  // A string without a default: ParseSetting() may refuse "".
      continue;
    }
    absl::StatusOr<SettingValue> value = ParseSetting(spec, "", text, BoolWords::kRedis);
    CHECK(value.ok());
    Store(spec.id, *std::move(value));
  }
}

void Settings::Store(Setting id, SettingValue value) {
  numbers_[Index(id)].store(value.number, std::memory_order_relaxed);
  texts_[Index(id)] = std::move(value.text);
}

std::string Settings::String(Setting id) const {
  std::lock_guard lock(mutex_);
  return texts_[Index(id)];
}

absl::Status Settings::Set(Setting id, std::string_view text) {
  const SettingSpec& spec = SpecOf(id);
  std::lock_guard lock(mutex_);
  absl::StatusOr<SettingValue> value = ParseSetting(spec, texts_[Index(id)], text, BoolWords::kAny);
  if (!value.ok()) {
    const std::string_view detail(value.status().message().data(), value.status().message().size());
    if (spec.type == SettingType::kString) {
      return absl::InvalidArgumentError(fmt::format("'{}': {}", text, detail));
    }
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not {} ({})", text, Expectation(spec), detail));
  }
  Store(id, *std::move(value));
  return absl::OkStatus();
}

absl::Status Settings::Validate() const {
  for (const SettingSpec& spec : SettingTable()) {
    if (spec.required && AppliesTo(spec, role_) && String(spec.id).empty()) {
      return absl::InvalidArgumentError(fmt::format("--{} is required: {}", spec.name, spec.help));
    }
  }
  if (role_ == NodeRole::kPrimary && Choice<ExportMode>(Setting::kExportMode) != ExportMode::kOff) {
    if (String(Setting::kDataDir).empty()) {
      return absl::InvalidArgumentError(
          "export_mode needs a data_dir: what is exported is what the log holds");
    }
    if (Choice<ExportMode>(Setting::kExportMode) == ExportMode::kListen &&
        String(Setting::kExportToken).empty()) {
      return absl::InvalidArgumentError(
          "export_mode is listen, which needs an export_token: whoever connects would read every "
          "write");
    }
  }
  if (const std::string_view why = WhyNotAck(String(Setting::kAck), Choice<Fsync>(Setting::kFsync),
                                             !String(Setting::kDataDir).empty());
      !why.empty()) {
    return absl::InvalidArgumentError(fmt::format("ack: {}", why));
  }
  struct Order {
    Setting low, high;
    bool may_be_equal;
  };
  constexpr Order kOrders[] = {
      {Setting::kThrottleExitPercent, Setting::kThrottleEnterPercent, false},
      {Setting::kSuspendExitPercent, Setting::kSuspendEnterPercent, false},
      {Setting::kThrottleEnterPercent, Setting::kSuspendEnterPercent, true},
      {Setting::kReconnectBackoffMs, Setting::kReconnectBackoffMaxMs, true},
  };
  for (const Order& order : kOrders) {
    const int64_t low = Int(order.low);
    const int64_t high = Int(order.high);
    if (low < high || (low == high && order.may_be_equal)) continue;
    return absl::InvalidArgumentError(
        fmt::format("{} is {}, but must be {} {}, which is {}", SpecOf(order.low).name, low,
                    order.may_be_equal ? "at most" : "below", SpecOf(order.high).name, high));
  }
  return absl::OkStatus();
}

void Settings::OnChange(Setting id, std::function<void()> changed) {
  std::lock_guard lock(change_mutex_);
  callbacks_[Index(id)].push_back(std::move(changed));
}

std::vector<std::pair<std::string, std::string>> Settings::ConfigGet(
    std::span<const std::string_view> patterns) const {
  std::vector<std::pair<std::string, std::string>> result;
  // Shows one setting if a pattern matches it and moves on: each is shown once.
  const auto add_if_wanted = [&](const std::string& name, const auto& read) {
    for (std::string_view pattern : patterns) {
      if (!GlobMatch(pattern, name, GlobCase::kInsensitive)) continue;
      const bool is_name = EqualsIgnoreCase(pattern, name);
      result.emplace_back(is_name ? std::string(pattern) : name, read());
      return;
    }
  };
  for (const SettingSpec& spec : SettingTable()) {
    if (!AppliesTo(spec, role_)) continue;
    add_if_wanted(ConfigName(spec), [&] { return Shown(spec, String(spec.id)); });
  }
  for (const RedisAlias& alias : RedisAliases()) {
    add_if_wanted(std::string(alias.name),
                  [&] { return std::to_string(InUnitOf(alias, Int(alias.id))); });
  }
  for (const RedisConstant& constant : RedisConstants()) {
    add_if_wanted(std::string(constant.name), [&] { return std::string(constant.value); });
  }
  return result;
}

absl::Status Settings::ConfigSet(
    std::span<const std::pair<std::string_view, std::string_view>> changes) {
  // As Redis does, every name is judged before any value.
  std::vector<const SettingSpec*> specs;   // Null for a constant that is set to its value.
  std::vector<const RedisAlias*> aliases;  // Null where the name is the setting's own.
  std::set<std::string> seen;
  for (const auto& [name, text] : changes) {
    const SettingSpec* spec = FindByConfigName(name, role_);
    const RedisAlias* alias = spec == nullptr ? FindAlias(name) : nullptr;
    if (alias != nullptr) spec = &SpecOf(alias->id);
    const RedisConstant* constant = spec == nullptr ? FindConstant(name) : nullptr;
    if (spec == nullptr && constant == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", name));
    }
    const bool immutable = spec != nullptr ? spec->change == SettingChange::kAtStart
                                           : !EqualsIgnoreCase(text, constant->value);
    if (immutable) return SetFailed(name, "can't set immutable config");
    if (!seen.insert(spec != nullptr ? ConfigName(*spec) : std::string(constant->name)).second) {
      return SetFailed(name, "duplicate parameter");
    }
    specs.push_back(spec);
    aliases.push_back(alias);
  }

  std::lock_guard change_lock(change_mutex_);
  std::vector<SettingValue> values(changes.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    if (specs[i] == nullptr) continue;
    const SettingSpec written = aliases[i] ? SpecOf(*aliases[i], *specs[i]) : *specs[i];
    absl::StatusOr<SettingValue> value =
        ParseSetting(written, String(specs[i]->id), changes[i].second, BoolWords::kRedis);
    if (!value.ok()) {
      const auto& message = value.status().message();
      return SetFailed(ConfigName(written), {message.data(), message.size()});
    }
    if (aliases[i] != nullptr) {
      value->number *= aliases[i]->unit;
      value->text = std::to_string(value->number);
    }
    const bool admits_everybody = specs[i]->id == Setting::kExportToken && value->text.empty() &&
                                  Choice<ExportMode>(Setting::kExportMode) == ExportMode::kListen;
    if (admits_everybody) {
      return SetFailed(ConfigName(*specs[i]), "a node that listens for consumers needs one");
    }
    values[i] = *std::move(value);
  }
  {
    std::string ack = String(Setting::kAck);
    Fsync fsync = Choice<Fsync>(Setting::kFsync);
    std::string_view about;
    for (size_t i = 0; i < changes.size(); ++i) {
      if (specs[i] == nullptr) continue;
      if (specs[i]->id == Setting::kAck) ack = values[i].text;
      if (specs[i]->id == Setting::kFsync) fsync = static_cast<Fsync>(values[i].number);
      if (specs[i]->id == Setting::kAck || specs[i]->id == Setting::kFsync) about = specs[i]->name;
    }
    const std::string_view why =
        about.empty() ? "" : WhyNotAck(ack, fsync, !String(Setting::kDataDir).empty());
    if (!why.empty()) return SetFailed(about, why);
  }
  {
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < changes.size(); ++i) {
      if (specs[i] != nullptr) Store(specs[i]->id, std::move(values[i]));
    }
  }
  for (const SettingSpec* spec : specs) {
    if (spec == nullptr) continue;
    changed_[Index(spec->id)] = true;
    for (const auto& changed : callbacks_[Index(spec->id)]) changed();
  }
  return absl::OkStatus();
}

absl::Status Settings::ConfigRewrite() {
  const std::string path = String(Setting::kConfig);
  if (path.empty()) {
    return absl::FailedPreconditionError("ERR The server is running without a config file");
  }
  std::lock_guard change_lock(change_mutex_);
  std::vector<TomlEntry> entries;
  for (const SettingSpec& spec : SettingTable()) {
    if (!changed_[Index(spec.id)]) continue;
    entries.push_back({.name = std::string(spec.name),
                       .value = spec.type == SettingType::kInt || spec.type == SettingType::kBytes
                                    ? std::to_string(Int(spec.id))
                                    : TomlString(String(spec.id))});
  }
  const absl::Status rewritten = RewriteTomlFile(path, entries);
  if (rewritten.ok()) return rewritten;
  const auto& why = rewritten.message();
  return absl::InternalError(
      fmt::format("ERR Rewriting config file: {}", std::string_view(why.data(), why.size())));
}

}  // namespace tidemark
