#include "cache/commands/value_options.h"

#include "base/text.h"
#include "cache/commands/errors.h"

namespace tidemark::cache {
namespace {

// Takes the option at args[i], moving `i` to its last argument. False if it is unknown, or excluded
// by one before it.
bool TakeOption(Args args, size_t& i, ValueOptionSet allowed, ValueOptions& options) {
  const std::string_view option = args[i];
  const bool of_set = allowed != ValueOptionSet::kOfGetex;
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
    return !options.has_lifetime();
  }
  if (!of_set && EqualsIgnoreCase(option, "persist")) {
    options.persist = true;
    return !options.has_lifetime();
  }
  if (options.keep_ttl || options.persist) return false;
  OptionTaken taken = TakeExpiryOption(args, i, options.lifetime);
  if (taken == OptionTaken::kNo && allowed == ValueOptionSet::kOfTideSet) {
    taken = TakeExtraOption(args, i, options.lifetime);
  }
  return taken == OptionTaken::kYes;
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
  if (options.lifetime.Agree()) return options;
  reply.Error(kSyntaxError);
  return std::nullopt;
}

}  // namespace tidemark::cache
