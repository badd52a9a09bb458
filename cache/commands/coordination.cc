#include "cache/commands/coordination.h"

#include "base/glob.h"
#include "base/text.h"
#include "cache/commands/numbers.h"

namespace tidemark::cache {

bool CheckPairs(const CommandSpec& spec, Args args, ReplyBuilder& reply) {
  if (args.size() % 2 == 1) return true;
  WrongArity(spec, reply);
  return false;
}

std::optional<CopyOptions> ParseCopy(Args args, ReplyBuilder& reply) {
  CopyOptions options;
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "replace")) {
      options.replace = true;
    } else if (EqualsIgnoreCase(args[i], "db") && i + 1 < args.size()) {
      const std::optional<int64_t> database = ParseInteger(args[++i], reply);
      if (!database) return std::nullopt;
      if (*database != static_cast<int32_t>(*database)) {
        reply.Error("ERR value is out of range, value must between -2147483648 and 2147483647");
        return std::nullopt;
      }
      if (*database != 0) {
        reply.Error("ERR DB index is out of range");
        return std::nullopt;
      }
    } else {
      reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  if (args[1] == args[2]) {
    reply.Error("ERR source and destination objects are the same");
    return std::nullopt;
  }
  return options;
}

bool CheckFlush(Args args, ReplyBuilder& reply) {
  const bool valid = args.size() == 1 || (args.size() == 2 && (EqualsIgnoreCase(args[1], "async") ||
                                                               EqualsIgnoreCase(args[1], "sync")));
  if (!valid) reply.Error(kSyntaxError);
  return valid;
}

void CollectKeys(Keyspace& keyspace, std::string_view pattern, std::vector<std::string>& keys) {
  constexpr size_t kSlotsPerStep = 4096;
  const bool all = pattern == "*";
  uint64_t cursor = 0;
  do {
    cursor = keyspace.Scan(cursor, kSlotsPerStep, [&](const Entry& entry) {
      if (all || GlobMatch(pattern, entry.key())) keys.emplace_back(entry.key());
    });
  } while (cursor != 0);
}

std::optional<std::string> PickRandomKey(Keyspace& keyspace) {
  std::string key = keyspace.RandomKey();
  // The empty string says "none", and is a key like any other.
  if (key.empty() && keyspace.Peek(KeyRef::Of("")) == nullptr) return std::nullopt;
  return key;
}

}  // namespace tidemark::cache
