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

// Answers `part`, a slice of the entry's value, without a copy if the value is large.
inline void AnswerSlice(const Entry& entry, std::string_view part, ReplyBuilder& reply) {
  if (part.size() >= kLargeValueBytes) {
    if (const BufferRef owner = entry.value_buffer()) return reply.BulkRef(owner, part);
  }
  reply.Bulk(part);
}

inline void AnswerValue(const Entry* entry, ReplyBuilder& reply) {
  if (entry == nullptr) return reply.Null();
  AnswerSlice(*entry, entry->value(), reply);
}

// Stores a value that expires at a moment which may be past: then the key goes, as Redis has it.
inline void SetOrExpire(CommandContext& context, KeyRef key, std::string_view value,
                        int64_t expire_at_ms) {
  if (expire_at_ms <= context.keyspace.now_ms()) {
    context.keyspace.Delete(key);
  } else {
    context.keyspace.Set(key, value, expire_at_ms);
  }
}

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_ACCESS_H_
