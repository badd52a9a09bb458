// Commands on parts of a value.

#include <algorithm>

#include "cache/commands/access.h"
#include "cache/commands/handlers.h"
#include "cache/commands/lcs.h"
#include "cache/commands/numbers.h"

namespace tidemark::cache {
namespace {

// Whether `added` bytes after `size` others make a value that is not too long; if not, answers the
// error.
bool CheckLength(size_t size, size_t added, ReplyBuilder& reply) {
  if (size <= kMaxValueBytes && added <= kMaxValueBytes - size) return true;
  reply.Error(kValueTooLong);
  return false;
}

// The bytes from `start` to `end`, inclusive; negative positions count from the end.
std::string_view Slice(std::string_view value, int64_t start, int64_t end) {
  const int64_t size = static_cast<int64_t>(value.size());
  if (start < 0 && end < 0 && start > end) return {};
  start = std::max<int64_t>(start < 0 ? size + start : start, 0);
  end = std::max<int64_t>(end < 0 ? size + end : end, 0);
  end = std::min(end, size - 1);
  if (start > end) return {};
  return value.substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1));
}

}  // namespace

void AppendCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const KeyRef key = context.Key(args, 1);
  const Entry* entry = context.keyspace.Peek(key);
  if (entry == nullptr) {
    context.keyspace.Set(key, args[2], kNoExpiry);
    return reply.Integer(static_cast<int64_t>(args[2].size()));
  }
  if (!CheckString(entry, reply)) return;
  const size_t size = entry->value_bytes();
  if (!CheckLength(size, args[2].size(), reply)) return;
  if (!HasValue(context, entry, reply)) return;
  WarmUp(context, key, entry);
  reply.Integer(static_cast<int64_t>(context.keyspace.SetRange(key, size, args[2])));
}

void StrlenCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* entry = FindForRead(context, context.Key(args, 1));
  if (!CheckString(entry, reply)) return;
  reply.Integer(entry == nullptr ? 0 : static_cast<int64_t>(entry->value_bytes()));
}

void GetrangeCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<int64_t> start = ParseInteger(args[2], reply);
  if (!start) return;
  const std::optional<int64_t> end = ParseInteger(args[3], reply);
  if (!end) return;
  const Entry* entry;
  if (!FindValue(context, context.Key(args, 1), &entry, reply)) return;
  if (!CheckString(entry, reply)) return;
  if (entry == nullptr) return reply.Bulk("");
  AnswerSlice(context, *entry, Slice(ValueOf(context, *entry), *start, *end), reply);
}

void SetrangeCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<int64_t> offset = ParseInteger(args[2], reply);
  if (!offset) return;
  if (*offset < 0) return reply.Error("ERR offset is out of range");
  const KeyRef key = context.Key(args, 1);
  const Entry* entry = context.keyspace.Peek(key);
  if (!CheckString(entry, reply)) return;
  const std::string_view bytes = args[3];
  if (bytes.empty()) {  // Changes nothing, and creates nothing.
    return reply.Integer(entry == nullptr ? 0 : static_cast<int64_t>(entry->value_bytes()));
  }
  if (!CheckLength(static_cast<size_t>(*offset), bytes.size(), reply)) return;
  if (!HasValue(context, entry, reply)) return;
  WarmUp(context, key, entry);
  const size_t size = context.keyspace.SetRange(key, static_cast<size_t>(*offset), bytes);
  reply.Integer(static_cast<int64_t>(size));
}

void LcsCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<LcsOptions> options = ParseLcs(args, reply);
  if (!options) return;
  if (!HaveValues(context, args, 1, 2, reply)) return;
  const Entry* a = FindForRead(context, context.Key(args, 1));
  const Entry* b = FindForRead(context, context.Key(args, 2));
  const auto value = [&](const Entry* e) {
    return e == nullptr ? std::string_view() : ValueOf(context, *e);
  };
  AnswerLcs(value(a), value(b), *options, reply);
}

}  // namespace tidemark::cache
