// Commands that look at how a value is kept, without counting as an access.

#include <limits>

#include "base/text.h"
#include "cache/commands/access.h"
#include "cache/commands/handlers.h"
#include "cache/commands/numbers.h"

namespace tidemark::cache {
namespace {

// Redis' limits: of the text of an integer, and of a string that shares its object's allocation.
constexpr size_t kMaxIntegerText = 20;
constexpr size_t kMaxEmbeddedString = 44;
// Below this Redis shares one object for each integer, and tells so.
constexpr int64_t kSharedIntegers = 10000;

// The number that Redis would keep instead of the text.
std::optional<int64_t> IntegerEncoded(const Entry& entry) {
  // What goes to disk is too long to be one.
  if (entry.appended() || entry.value_bytes() > kMaxIntegerText) return std::nullopt;
  return ParseInteger(entry.value());
}

const Entry* PeekObject(CommandContext& context, Args args) {
  return context.keyspace.Peek(context.Key(args, 2));
}

}  // namespace

void ObjectEncodingCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* entry = PeekObject(context, args);
  if (entry == nullptr) return reply.Null();
  if (IntegerEncoded(*entry)) return reply.Bulk("int");
  const bool embedded = !entry->appended() && entry->value_bytes() <= kMaxEmbeddedString;
  reply.Bulk(embedded ? "embstr" : "raw");
}

// Redis answers these errors of keys that are there, and nil of others.
void ObjectFreqCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* entry = PeekObject(context, args);
  if (entry == nullptr) return reply.Null();
  const UseTracker& uses = context.keyspace.uses();
  if (uses.mode() != UseMode::kClock) return reply.Integer(uses.Frequency(entry->use()));
  reply.Error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void ObjectIdletimeCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* entry = PeekObject(context, args);
  if (entry == nullptr) return reply.Null();
  if (context.keyspace.uses().mode() == UseMode::kClock) {
    return reply.Integer(entry->IdleSeconds(context.keyspace.now_ms()));
  }
  reply.Error(
      "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
      "switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void ObjectRefcountCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* entry = PeekObject(context, args);
  if (entry == nullptr) return reply.Null();
  const std::optional<int64_t> number = IntegerEncoded(*entry);
  const bool shared = number && *number >= 0 && *number < kSharedIntegers;
  reply.Integer(shared ? std::numeric_limits<int32_t>::max() : 1);
}

void ObjectHelpCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  static constexpr std::string_view kLines[] = {
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    How the value would be kept by Redis: int, embstr or raw.",
      "FREQ <key>",
      "    How often the key was used lately, under a policy that counts it (lfu, tinylfu).",
      "IDLETIME <key>",
      "    Seconds since the key was last used, under any other.",
      "REFCOUNT <key>",
      "    How many references Redis would hold to the value.",
      "HELP",
      "    This text.",
  };
  reply.ArrayHeader(std::size(kLines));
  for (const std::string_view line : kLines) reply.Status(line);
}

void MemoryUsageCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  for (size_t i = 3; i < args.size(); i += 2) {
    if (!EqualsIgnoreCase(args[i], "samples") || i + 1 == args.size()) {
      return reply.Error(kSyntaxError);
    }
    const std::optional<int64_t> samples = ParseInteger(args[i + 1], reply);
    if (!samples) return;
    if (*samples < 0) return reply.Error(kSyntaxError);
  }
  const Entry* entry = PeekObject(context, args);
  if (entry == nullptr) return reply.Null();
  reply.Integer(static_cast<int64_t>(entry->memory_bytes()));
}

}  // namespace tidemark::cache
