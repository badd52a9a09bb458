// Settings holds a node's current settings: read on every turn, changed now and then by CONFIG SET.
//
//   const size_t limit = settings.Int(Setting::kProtoMaxBulkLen);
//   if (settings.Choice<SendPolicy>(Setting::kSendPolicy) == SendPolicy::kImmediate) ...
//
// Threading: thread-safe. Numbers, booleans and choices are atomics: reading one is a relaxed load,
// fit for hot paths. Strings are copied under a lock: keep what OnChange() brings instead of asking
// each time. Each value is whole by itself; a reader may meet a multi-setting CONFIG SET half way.
//
// Lifetime: made by LoadSettings() (settings_loader.h) and outlives everything that reads it.

#ifndef TIDEMARK_BASE_SETTINGS_SETTINGS_H_
#define TIDEMARK_BASE_SETTINGS_SETTINGS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/settings/setting_spec.h"
#include "base/settings/setting_value.h"

namespace tidemark {

class Settings {
 public:
  // What Int() answers for a setting that is "none".
  static constexpr int64_t kNone = -1;

  // Every setting at its default for `role`.
  explicit Settings(NodeRole role);
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  NodeRole role() const { return role_; }

  // Requires: the setting is a kInt or kBytes. In its row's unit.
  int64_t Int(Setting id) const { return numbers_[Index(id)].load(std::memory_order_relaxed); }
  // Requires: the setting is a kBool.
  bool Bool(Setting id) const { return Int(id) != 0; }
  // Requires: the setting is a kChoice, and E the enum of its choices.
  template <typename E>
  E Choice(Setting id) const {
    return static_cast<E>(Int(id));
  }
  // The value of a setting of any type, as CONFIG GET would show it; a secret's too.
  std::string String(Setting id) const;

  // Sets one setting as a flag, a file or the environment does: startup settings too, and no
  // callback is called. `text` in the words of its type, where a boolean may also be true, false, 1
  // or 0. InvalidArgument says what was expected.
  absl::Status Set(Setting id, std::string_view text);
  // Whether the settings fit each other and none that is required is missing. For the end of
  // startup.
  absl::Status Validate() const;

  // Calls `changed` after every change of `id` by ConfigSet(), on the thread of that call, one call
  // at a time. It may read settings but not call ConfigSet(). Register before other threads use
  // this.
  void OnChange(Setting id, std::function<void()> changed);

  // CONFIG GET: the names and values that any pattern matches, each once. A pattern without
  // wildcards is a name in any case, answered as it was written. Redis' settings that are constants
  // here are among them.
  std::vector<std::pair<std::string, std::string>> ConfigGet(
      std::span<const std::string_view> patterns) const;

  // CONFIG SET: all of `changes` (name, value) or none. The error's message is the reply that Redis
  // would give, "ERR " included.
  absl::Status ConfigSet(std::span<const std::pair<std::string_view, std::string_view>> changes);

  // CONFIG REWRITE: writes what ConfigSet() changed into the file that `config` names, replacing it
  // at once and keeping its other lines. Blocks on the disk. The error's message is a reply, "ERR "
  // included.
  absl::Status ConfigRewrite();

 private:
  static constexpr size_t Index(Setting id) { return static_cast<size_t>(id); }
  void Store(Setting id, SettingValue value);  // Requires: mutex_ held.

  const NodeRole role_;
  std::array<std::atomic<int64_t>, kSettingCount> numbers_;

  // Held through a whole ConfigSet() or ConfigRewrite(). Taken before mutex_.
  std::mutex change_mutex_;
  std::array<std::vector<std::function<void()>>, kSettingCount> callbacks_;
  std::array<bool, kSettingCount> changed_{};  // By ConfigSet(). Guarded by change_mutex_.

  mutable std::mutex mutex_;
  std::array<std::string, kSettingCount> texts_;  // Guarded by mutex_.
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_SETTINGS_H_
