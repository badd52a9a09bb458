// How handlers look at an entry: the one place for access marks, types and large values.

#ifndef TIDEMARK_CACHE_COMMANDS_ACCESS_H_
#define TIDEMARK_CACHE_COMMANDS_ACCESS_H_

#include <string_view>

#include "cache/command.h"
#include "cache/commands/errors.h"

namespace tidemark::cache {

inline std::string_view TypeName(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return "string";
  }
  return "unknown";
}

// The entry of a command that reads its value.
inline const Entry* FindForRead(CommandContext& context, KeyRef key) {
  return context.no_touch ? context.keyspace.Peek(key) : context.keyspace.Find(key);
}

// Whether `entry` (null: no key) may be taken for a string; if not, answers the error.
inline bool CheckString(const Entry* entry, ReplyBuilder& reply) {
  if (entry == nullptr || entry->type() == ValueType::kString) return true;
  reply.Error(kWrongType);
  return false;
}

// HasValue() of a cold entry.
[[gnu::noinline]] inline bool HasColdValue(CommandContext& context, const Entry& entry,
                                           ReplyBuilder& reply) {
  const absl::StatusOr<tier::ReadValue>* value = context.cold->Look(entry);
  if (value == nullptr) return false;
  if (value->ok()) return true;
  reply.Error(UnreadableValue(value->status()));
  return false;
}

// Whether the value of `entry` (null: no key) is at hand. If not the handler is to return: it is
// called again when the value has been read, or the error is answered. In line, as is all that
// stands on the path of every GET: calls alone would cost it a tenth of its instructions.
[[gnu::always_inline]] inline bool HasValue(CommandContext& context, const Entry* entry,
                                            ReplyBuilder& reply) {
  if (entry == nullptr || !entry->cold()) [[likely]]
    return true;
  return HasColdValue(context, *entry, reply);
}

// A read of a cold entry counts when the command is called again.
[[gnu::noinline]] inline void ForgetColdHit(CommandContext& context) {
  if (!context.no_touch && context.cold->any_needed()) context.keyspace.ForgetHit();
}

// FindForRead() for a command that needs the value; false as of HasValue().
[[gnu::always_inline]] inline bool FindValue(CommandContext& context, KeyRef key,
                                             const Entry** entry, ReplyBuilder& reply) {
  *entry = FindForRead(context, key);
  if (HasValue(context, *entry, reply)) [[likely]]
    return true;
  ForgetColdHit(context);
  return false;
}

// Whether HasValue() holds of all these keys, for a command that reads several.
inline bool HaveValues(CommandContext& context, Args args, size_t first, size_t last,
                       ReplyBuilder& reply) {
  if (context.keyspace.cold_size() == 0) return true;
  const uint64_t errors_before = reply.errors();
  for (size_t i = first; i <= last; ++i) {
    const Entry* entry = context.keyspace.Peek(context.Key(args, i));
    if (HasValue(context, entry, reply) || reply.errors() == errors_before) continue;
    context.cold->TakeNeeded();  // The error is the answer.
    return false;
  }
  return !context.cold->any_needed();
}

[[gnu::noinline]] inline std::string_view ColdValueOf(const CommandContext& context,
                                                      const Entry& entry) {
  return context.cold->Value(entry).bytes;
}

// The value, wherever it is. Requires: HasValue().
[[gnu::always_inline]] inline std::string_view ValueOf(const CommandContext& context,
                                                       const Entry& entry) {
  return entry.cold() ? ColdValueOf(context, entry) : entry.value();
}

// Takes the value of a cold entry into memory, for a command that changes a part of it. Requires:
// HasValue().
inline void WarmUp(CommandContext& context, KeyRef key, const Entry* entry) {
  if (entry == nullptr || !entry->cold()) return;
  context.keyspace.MakeWarm(key, entry->location(), ValueOf(context, *entry));
}

// AnswerSlice() of a large value.
[[gnu::noinline]] inline void AnswerLargeSlice(const CommandContext& context, const Entry& entry,
                                               std::string_view part, ReplyBuilder& reply) {
  const BufferRef owner = entry.cold() ? context.cold->Value(entry).owner : entry.value_buffer();
  if (owner) return reply.BulkRef(owner, part);
  reply.Bulk(part);
}

// Answers `part`, a slice of the entry's value, without a copy if the value is large.
[[gnu::always_inline]] inline void AnswerSlice(const CommandContext& context, const Entry& entry,
                                               std::string_view part, ReplyBuilder& reply) {
  if (part.size() >= kLargeValueBytes) [[unlikely]]
    return AnswerLargeSlice(context, entry, part, reply);
  reply.Bulk(part);
}

// Requires: HasValue().
[[gnu::always_inline]] inline void AnswerValue(const CommandContext& context, const Entry* entry,
                                               ReplyBuilder& reply) {
  if (entry == nullptr) return reply.Null();
  AnswerSlice(context, *entry, ValueOf(context, *entry), reply);
}

// Stores a value that expires at a moment which may be past: then the key goes, as Redis has it.
inline void SetOrExpire(CommandContext& context, KeyRef key, std::string_view value,
                        const Expiry& expiry) {
  if (expiry.at_ms <= context.keyspace.now_ms()) {
    context.keyspace.Delete(key);
  } else {
    context.keyspace.Set(key, value, expiry);
  }
}

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_ACCESS_H_
