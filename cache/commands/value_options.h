// The options of the commands that set a value or read it: SET, TIDE SET and GETEX.

#ifndef TIDEMARK_CACHE_COMMANDS_VALUE_OPTIONS_H_
#define TIDEMARK_CACHE_COMMANDS_VALUE_OPTIONS_H_

#include <optional>

#include "cache/command.h"
#include "cache/commands/lifetime_options.h"

namespace tidemark::cache {

struct ValueOptions {
  bool only_if_absent = false;   // NX
  bool only_if_present = false;  // XX
  bool get = false;              // GET
  bool keep_ttl = false;         // KEEPTTL
  bool persist = false;          // PERSIST
  LifetimeOptions lifetime;
  bool has_lifetime() const { return lifetime.unit != ExpiryUnit::kNone || lifetime.has_extras(); }
};

// Which options ParseValueOptions takes besides an expiry.
enum class ValueOptionSet { kOfSet, kOfTideSet, kOfGetex };

// Reads the options from args[first] on. If they are wrong answers the error and returns nothing.
std::optional<ValueOptions> ParseValueOptions(Args args, size_t first, ValueOptionSet allowed,
                                              ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_VALUE_OPTIONS_H_
