// Commands that take a value for a number.

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "cache/commands/access.h"
#include "cache/commands/handlers.h"
#include "cache/commands/numbers.h"

namespace tidemark::cache {
namespace {

void AddInteger(CommandContext& context, Args args, int64_t increment, ReplyBuilder& reply) {
  const KeyRef key = context.Key(args, 1);
  const Entry* entry = context.keyspace.Peek(key);
  if (!HasValue(context, entry, reply) || !CheckString(entry, reply)) return;
  int64_t value = 0;
  if (entry != nullptr) {
    const std::optional<int64_t> stored = ParseInteger(ValueOf(context, *entry), reply);
    if (!stored) return;
    value = *stored;
  }
  if (__builtin_add_overflow(value, increment, &value)) {
    return reply.Error("ERR increment or decrement would overflow");
  }
  const fmt::format_int text(value);
  context.keyspace.SetKeepExpiry(key, {text.data(), text.size()});
  reply.Integer(value);
}

}  // namespace

void IncrCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  AddInteger(context, args, 1, reply);
}

void DecrCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  AddInteger(context, args, -1, reply);
}

void IncrbyCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<int64_t> increment = ParseInteger(args[2], reply);
  if (increment) AddInteger(context, args, *increment, reply);
}

void DecrbyCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<int64_t> decrement = ParseInteger(args[2], reply);
  if (!decrement) return;
  if (*decrement == std::numeric_limits<int64_t>::min()) {
    return reply.Error("ERR decrement would overflow");
  }
  AddInteger(context, args, -*decrement, reply);
}

void IncrbyfloatCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const KeyRef key = context.Key(args, 1);
  const Entry* entry = context.keyspace.Peek(key);
  if (!HasValue(context, entry, reply) || !CheckString(entry, reply)) return;
  const std::optional<long double> value =
      entry == nullptr ? 0 : ParseLongDouble(ValueOf(context, *entry));
  const std::optional<long double> increment = ParseLongDouble(args[2]);
  if (!value || !increment) return reply.Error(kNotAFloat);
  const long double sum = *value + *increment;
  if (!std::isfinite(sum)) return reply.Error("ERR increment would produce NaN or Infinity");
  const DecimalText text(sum);
  context.keyspace.SetKeepExpiry(key, text.view());
  reply.Bulk(text.view());
}

}  // namespace tidemark::cache
