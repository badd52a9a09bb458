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

// The options of SET, TIDE SET and GETEX.
struct ValueOptions {
  bool only_if_absent = false;   // NX
  bool only_if_present = false;  // XX
  bool get = false;              // GET
  bool keep_ttl = false;         // KEEPTTL
  bool persist = false;          // PERSIST
  ExpiryUnit unit = ExpiryUnit::kNone;
  std::string_view expiry;  // The number as given; ToExpiry reads it.
  std::string_view jitter;  // JITTER, as given; empty: none. ToJitteredExpiry reads it.
};

// Which options ParseValueOptions takes besides an expiry.
enum class ValueOptionSet { kOfSet, kOfTideSet, kOfGetex };

// Reads the options from args[first] on. If they are wrong answers the error and returns nothing.
std::optional<ValueOptions> ParseValueOptions(Args args, size_t first, ValueOptionSet allowed,
                                              ReplyBuilder& reply);

// The moment, in ms since 1970 and above 0, that `number` stands for; it may be past. If it is no
// positive number that fits, answers the error and returns nothing.
std::optional<int64_t> ToExpiry(const CommandContext& context, std::string_view number,
                                ExpiryUnit unit, ReplyBuilder& reply);

// The same less the key's part of `jitter` percent of the time that is left (ttl_jitter.h); with no
// jitter, as ToExpiry. Answers an error also if `jitter` is not a whole number from 0 to 100, or
// the unit is absolute: such a moment is meant exactly.
std::optional<int64_t> ToJitteredExpiry(const CommandContext& context, std::string_view number,
                                        ExpiryUnit unit, std::string_view jitter, uint64_t key_hash,
                                        ReplyBuilder& reply);

void InvalidExpireTime(const CommandSpec& spec, ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_EXPIRY_OPTIONS_H_
