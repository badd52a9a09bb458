// Expiry times as commands give them: relative or absolute, in seconds or milliseconds.

#ifndef TIDEMARK_CACHE_COMMANDS_EXPIRY_OPTIONS_H_
#define TIDEMARK_CACHE_COMMANDS_EXPIRY_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/command.h"

namespace tidemark::cache {

// Named after the options of SET and GETEX.
enum class ExpiryUnit { kNone, kEx, kPx, kExat, kPxat };

// The options of SET and GETEX.
struct ValueOptions {
  bool only_if_absent = false;   // NX
  bool only_if_present = false;  // XX
  bool get = false;              // GET
  bool keep_ttl = false;         // KEEPTTL
  bool persist = false;          // PERSIST
  ExpiryUnit unit = ExpiryUnit::kNone;
  std::string_view expiry;  // The number as given; ToExpiry reads it.
};

// Which options ParseValueOptions takes besides an expiry.
enum class ValueOptionSet { kOfSet, kOfGetex };

// Reads the options from args[first] on. If they are wrong answers the error and returns nothing.
std::optional<ValueOptions> ParseValueOptions(Args args, size_t first, ValueOptionSet allowed,
                                              ReplyBuilder& reply);

// The moment, in ms since 1970 and above 0, that `number` stands for; it may be past. If it is no
// positive number that fits, answers the error and returns nothing.
std::optional<int64_t> ToExpiry(const CommandContext& context, std::string_view number,
                                ExpiryUnit unit, ReplyBuilder& reply);

void InvalidExpireTime(const CommandSpec& spec, ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_EXPIRY_OPTIONS_H_
