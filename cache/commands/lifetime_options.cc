#include "cache/commands/lifetime_options.h"

#include <fmt/format.h>

#include <limits>

#include "base/text.h"
#include "cache/commands/numbers.h"
#include "cache/commands/ttl_jitter.h"

namespace tidemark::cache {
namespace {

constexpr int64_t kMsPerSecond = 1000;
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

ExpiryUnit UnitNamed(std::string_view option) {
  if (EqualsIgnoreCase(option, "ex")) return ExpiryUnit::kEx;
  if (EqualsIgnoreCase(option, "px")) return ExpiryUnit::kPx;
  if (EqualsIgnoreCase(option, "exat")) return ExpiryUnit::kExat;
  if (EqualsIgnoreCase(option, "pxat")) return ExpiryUnit::kPxat;
  return ExpiryUnit::kNone;
}

// A length of time in ms, above 0; 0 if it is not given.
std::optional<int64_t> ToMs(const CommandContext& context, const LifetimeOptions::Time& time,
                            ReplyBuilder& reply) {
  if (time.unit_ms == 0) return 0;
  const std::optional<int64_t> given = ParseInteger(time.number, reply);
  if (!given) return std::nullopt;
  if (*given <= 0 || *given > kMax / time.unit_ms) {
    InvalidExpireTime(context.spec, reply);
    return std::nullopt;
  }
  return *given * time.unit_ms;
}

// The moment that EX, PX, EXAT or PXAT names, less the key's part of the jitter.
std::optional<int64_t> ToHardMoment(const CommandContext& context, const LifetimeOptions& options,
                                    uint64_t key_hash, ReplyBuilder& reply) {
  const auto moment_ms = ToMoment(context, options.expiry, options.unit, reply);
  if (!moment_ms || options.jitter.empty()) return moment_ms;
  const std::optional<int64_t> percent = ParseInteger(options.jitter, reply);
  if (!percent) return std::nullopt;
  if (*percent < 0 || *percent > kMaxJitterPercent) {
    reply.Error("ERR JITTER must be between 0 and 100 percent");
    return std::nullopt;
  }
  const int64_t now_ms = context.keyspace.now_ms();
  return now_ms + JitteredTtl(*moment_ms - now_ms, static_cast<int>(*percent), key_hash);
}

}  // namespace

bool LifetimeOptions::Agree() const {
  const bool relative = unit == ExpiryUnit::kEx || unit == ExpiryUnit::kPx;
  if (!jitter.empty() && !relative) return false;
  return stale.unit_ms == 0 || unit != ExpiryUnit::kNone;
}

OptionTaken TakeExpiryOption(Args args, size_t& i, LifetimeOptions& options) {
  const ExpiryUnit unit = UnitNamed(args[i]);
  if (unit == ExpiryUnit::kNone) return OptionTaken::kNo;
  if (options.unit != ExpiryUnit::kNone && options.unit != unit) return OptionTaken::kWrong;
  if (++i == args.size()) return OptionTaken::kWrong;
  options.unit = unit;
  options.expiry = args[i];
  return OptionTaken::kYes;
}

OptionTaken TakeExtraOption(Args args, size_t& i, LifetimeOptions& options) {
  const std::string_view option = args[i];
  LifetimeOptions::Time* time = nullptr;
  int64_t unit_ms = kMsPerSecond;
  if (EqualsIgnoreCase(option, "idle")) {
    time = &options.idle;
  } else if (EqualsIgnoreCase(option, "pidle")) {
    time = &options.idle, unit_ms = 1;
  } else if (EqualsIgnoreCase(option, "stale")) {
    time = &options.stale;
  } else if (EqualsIgnoreCase(option, "pstale")) {
    time = &options.stale, unit_ms = 1;
  } else if (!EqualsIgnoreCase(option, "jitter")) {
    return OptionTaken::kNo;
  }
  if (++i == args.size()) return OptionTaken::kWrong;
  if (time == nullptr) {
    options.jitter = args[i];
    return options.jitter.empty() ? OptionTaken::kWrong : OptionTaken::kYes;
  }
  if (time->unit_ms != 0 && time->unit_ms != unit_ms) return OptionTaken::kWrong;
  *time = {.number = args[i], .unit_ms = unit_ms};
  return OptionTaken::kYes;
}

std::optional<int64_t> ToMoment(const CommandContext& context, std::string_view number,
                                ExpiryUnit unit, ReplyBuilder& reply) {
  const std::optional<int64_t> given = ParseInteger(number, reply);
  if (!given) return std::nullopt;
  const int64_t scale =
      unit == ExpiryUnit::kEx || unit == ExpiryUnit::kExat ? kMsPerSecond : int64_t{1};
  const bool relative = unit == ExpiryUnit::kEx || unit == ExpiryUnit::kPx;
  const int64_t base = relative ? context.keyspace.now_ms() : 0;
  if (*given <= 0 || *given > (kMax - base) / scale) {
    InvalidExpireTime(context.spec, reply);
    return std::nullopt;
  }
  return base + *given * scale;
}

std::optional<Expiry> ToExpiry(const CommandContext& context, const LifetimeOptions& options,
                               uint64_t key_hash, ReplyBuilder& reply) {
  int64_t hard_at_ms = 0;
  if (options.unit != ExpiryUnit::kNone) {
    const auto hard = ToHardMoment(context, options, key_hash, reply);
    if (!hard) return std::nullopt;
    hard_at_ms = *hard;
  }
  if (!options.has_extras()) return Expiry(hard_at_ms);
  const std::optional<int64_t> idle_ms = ToMs(context, options.idle, reply);
  if (!idle_ms) return std::nullopt;
  const std::optional<int64_t> stale_ms = ToMs(context, options.stale, reply);
  if (!stale_ms) return std::nullopt;
  if (*stale_ms > kMax - hard_at_ms) {
    InvalidExpireTime(context.spec, reply);
    return std::nullopt;
  }
  return Expiry::OfUseAt(context.keyspace.now_ms(),
                         {.idle_ms = *idle_ms, .stale_ms = *stale_ms, .hard_at_ms = hard_at_ms});
}

void InvalidExpireTime(const CommandSpec& spec, ReplyBuilder& reply) {
  reply.Error(fmt::format("ERR invalid expire time in '{}' command", spec.name));
}

}  // namespace tidemark::cache
