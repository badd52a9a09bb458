// The options of TIDE SET and TIDE EXPIRE that say until when a key lives (docs/expiry.md): an
// expiry as SET takes it, jitter, an idle time and a stale time.

#ifndef TIDEMARK_CACHE_COMMANDS_LIFETIME_OPTIONS_H_
#define TIDEMARK_CACHE_COMMANDS_LIFETIME_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/expiry.h"
#include "cache/command.h"

namespace tidemark::cache {

// Named after the options of SET and GETEX.
enum class ExpiryUnit { kNone, kEx, kPx, kExat, kPxat };

struct LifetimeOptions {
  // A length of time as an option gives it.
  struct Time {
    std::string_view number;
    int64_t unit_ms = 0;  // 1 or 1000; 0: not given.
  };

  ExpiryUnit unit = ExpiryUnit::kNone;
  std::string_view expiry;  // The number as given.
  std::string_view jitter;  // JITTER, as given; empty: none.
  Time idle;                // IDLE, PIDLE
  Time stale;               // STALE, PSTALE

  bool has_extras() const { return idle.unit_ms != 0 || stale.unit_ms != 0; }
  // Whether they agree: there is jitter only of a time, not of a moment, which is meant exactly;
  // and what becomes stale does so after a moment.
  bool Agree() const;
};

enum class OptionTaken { kNo, kYes, kWrong };

// EX, PX, EXAT or PXAT at args[i]: moves `i` to its last argument. kNo: it is another option.
// kWrong: its number is missing, or another unit came before; the same again counts alone.
OptionTaken TakeExpiryOption(Args args, size_t& i, LifetimeOptions& options);
// The same of JITTER, IDLE, PIDLE, STALE or PSTALE.
OptionTaken TakeExtraOption(Args args, size_t& i, LifetimeOptions& options);

// The moment, in ms since 1970 and above 0, that `number` stands for; it may be past. If it is no
// positive number that fits, answers the error and returns nothing.
std::optional<int64_t> ToMoment(const CommandContext& context, std::string_view number,
                                ExpiryUnit unit, ReplyBuilder& reply);

// The expiry of a key that is set or used now; it may be past. Answers an error also if the jitter
// is not a whole number from 0 to 100. Requires: options.Agree(), and an expiry or an idle time.
std::optional<Expiry> ToExpiry(const CommandContext& context, const LifetimeOptions& options,
                               uint64_t key_hash, ReplyBuilder& reply);

void InvalidExpireTime(const CommandSpec& spec, ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_LIFETIME_OPTIONS_H_
