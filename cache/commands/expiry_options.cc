#include "cache/commands/expiry_options.h"

#include <fmt/format.h>

#include <limits>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "cache/commands/ttl_jitter.h"

namespace tidemark::cache {
namespace {

ExpiryUnit UnitNamed(std::string_view option) {
  if (EqualsIgnoreCase(option, "ex")) return ExpiryUnit::kEx;
  if (EqualsIgnoreCase(option, "px")) return ExpiryUnit::kPx;
  if (EqualsIgnoreCase(option, "exat")) return ExpiryUnit::kExat;
  if (EqualsIgnoreCase(option, "pxat")) return ExpiryUnit::kPxat;
  return ExpiryUnit::kNone;
}

// Takes the option at args[i], moving `i` to its last argument. False if it is unknown, or excluded
// by one before it.
bool TakeOption(Args args, size_t& i, ValueOptionSet allowed, ValueOptions& options) {
  const std::string_view option = args[i];
  const bool of_set = allowed != ValueOptionSet::kOfGetex;
  const bool has_expiry = options.unit != ExpiryUnit::kNone;
  if (of_set && EqualsIgnoreCase(option, "nx")) {
    options.only_if_absent = true;
    return !options.only_if_present;
  }
  if (of_set && EqualsIgnoreCase(option, "xx")) {
    options.only_if_present = true;
    return !options.only_if_absent;
  }
  if (of_set && EqualsIgnoreCase(option, "get")) return options.get = true;
  if (of_set && EqualsIgnoreCase(option, "keepttl")) {
    options.keep_ttl = true;
    return !has_expiry;
  }
  if (!of_set && EqualsIgnoreCase(option, "persist")) {
    options.persist = true;
    return !has_expiry;
  }
  if (allowed == ValueOptionSet::kOfTideSet && EqualsIgnoreCase(option, "jitter")) {
    if (++i == args.size() || args[i].empty()) return false;
    options.jitter = args[i];
    return true;
  }
  const ExpiryUnit unit = UnitNamed(option);
  if (unit == ExpiryUnit::kNone || options.keep_ttl || options.persist) return false;
  if (has_expiry && options.unit != unit) return false;  // The same again: the last one counts.
  if (++i == args.size()) return false;
  options.unit = unit;
  options.expiry = args[i];
  return true;
}

}  // namespace

std::optional<ValueOptions> ParseValueOptions(Args args, size_t first, ValueOptionSet allowed,
                                              ReplyBuilder& reply) {
  ValueOptions options;
  for (size_t i = first; i < args.size(); ++i) {
    if (!TakeOption(args, i, allowed, options)) {
      reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  const bool relative = options.unit == ExpiryUnit::kEx || options.unit == ExpiryUnit::kPx;
  if (!options.jitter.empty() && !relative) {
    reply.Error(kSyntaxError);
    return std::nullopt;
  }
  return options;
}

std::optional<int64_t> ToExpiry(const CommandContext& context, std::string_view number,
                                ExpiryUnit unit, ReplyBuilder& reply) {
  const std::optional<int64_t> given = ParseInteger(number, reply);
  if (!given) return std::nullopt;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const int64_t scale = unit == ExpiryUnit::kEx || unit == ExpiryUnit::kExat ? 1000 : 1;
  const bool relative = unit == ExpiryUnit::kEx || unit == ExpiryUnit::kPx;
  const int64_t base = relative ? context.keyspace.now_ms() : 0;
  if (*given <= 0 || *given > (kMax - base) / scale) {
    InvalidExpireTime(context.spec, reply);
    return std::nullopt;
  }
  return base + *given * scale;
}

std::optional<int64_t> ToJitteredExpiry(const CommandContext& context, std::string_view number,
                                        ExpiryUnit unit, std::string_view jitter, uint64_t key_hash,
                                        ReplyBuilder& reply) {
  const std::optional<int64_t> expire_at = ToExpiry(context, number, unit, reply);
  if (!expire_at || jitter.empty()) return expire_at;
  const std::optional<int64_t> percent = ParseInteger(jitter, reply);
  if (!percent) return std::nullopt;
  if (*percent < 0 || *percent > kMaxJitterPercent) {
    reply.Error("ERR JITTER must be between 0 and 100 percent");
    return std::nullopt;
  }
  const int64_t now_ms = context.keyspace.now_ms();
  return now_ms + JitteredTtl(*expire_at - now_ms, static_cast<int>(*percent), key_hash);
}

void InvalidExpireTime(const CommandSpec& spec, ReplyBuilder& reply) {
  reply.Error(fmt::format("ERR invalid expire time in '{}' command", spec.name));
}

}  // namespace tidemark::cache
