// Commands that read and replace whole values.

#include "cache/commands/access.h"
#include "cache/commands/coordination.h"
#include "cache/commands/handlers.h"
#include "cache/commands/tide_rows.h"
#include "cache/commands/value_options.h"

namespace tidemark::cache {
namespace {

void SetWithExpiry(CommandContext& context, Args args, ExpiryUnit unit, ReplyBuilder& reply) {
  const std::optional<int64_t> expire_at = ToMoment(context, args[2], unit, reply);
  if (!expire_at) return;
  SetOrExpire(context, context.Key(args, 1), args[3], *expire_at);
  reply.Ok();
}

// The key, the value and the options begin at args[first].
void SetWithOptions(CommandContext& context, Args args, size_t first, ValueOptionSet allowed,
                    ReplyBuilder& reply) {
  const auto options = ParseValueOptions(args, first + 2, allowed, reply);
  if (!options) return;
  const KeyRef key = context.Key(args, first);
  Expiry expiry;
  if (options->has_lifetime()) {
    const std::optional<Expiry> given = ToExpiry(context, options->lifetime, key.hash, reply);
    if (!given) return;
    expiry = *given;
  }

  const Entry* old = nullptr;
  if (!options->get) {
    old = context.keyspace.Peek(key);
  } else if (!FindValue(context, key, &old, reply) || !CheckString(old, reply)) {
    return;
  }
  const bool refused =
      (options->only_if_absent && old != nullptr) || (options->only_if_present && old == nullptr);
  if (options->get) {
    AnswerValue(context, old, reply);
  } else if (refused) {
    reply.Null();
  } else {
    reply.Ok();
  }
  if (refused) return;

  const std::string_view value = args[first + 1];
  if (options->keep_ttl) {
    context.keyspace.SetKeepExpiry(key, value);
  } else if (expiry.at_ms == kNoExpiry) {
    context.keyspace.Set(key, value, kNoExpiry);
  } else {
    SetOrExpire(context, key, value, expiry);
  }
}

}  // namespace

void GetCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* entry;
  if (!FindValue(context, context.Key(args, 1), &entry, reply)) return;
  if (CheckString(entry, reply)) AnswerValue(context, entry, reply);
}

void SetCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  if (args.size() > 3) return SetWithOptions(context, args, 1, ValueOptionSet::kOfSet, reply);
  context.keyspace.Set(context.Key(args, 1), args[2], kNoExpiry);
  reply.Ok();
}

void TideSetCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  SetWithOptions(context, args, 2, ValueOptionSet::kOfTideSet, reply);
}

void SetnxCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const KeyRef key = context.Key(args, 1);
  if (context.keyspace.Peek(key) != nullptr) return reply.Integer(0);
  context.keyspace.Set(key, args[2], kNoExpiry);
  reply.Integer(1);
}

void SetexCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  SetWithExpiry(context, args, ExpiryUnit::kEx, reply);
}

void PsetexCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  SetWithExpiry(context, args, ExpiryUnit::kPx, reply);
}

void GetsetCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const KeyRef key = context.Key(args, 1);
  const Entry* entry;
  if (!FindValue(context, key, &entry, reply)) return;
  if (!CheckString(entry, reply)) return;
  AnswerValue(context, entry, reply);
  context.keyspace.Set(key, args[2], kNoExpiry);
}

void GetdelCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const KeyRef key = context.Key(args, 1);
  const Entry* entry;
  if (!FindValue(context, key, &entry, reply)) return;
  if (!CheckString(entry, reply)) return;
  AnswerValue(context, entry, reply);
  if (entry != nullptr) context.keyspace.Delete(key);
}

void GetexCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const auto options = ParseValueOptions(args, 2, ValueOptionSet::kOfGetex, reply);
  if (!options) return;
  const KeyRef key = context.Key(args, 1);
  const Entry* entry;
  if (!FindValue(context, key, &entry, reply)) return;
  if (!CheckString(entry, reply)) return;
  if (entry == nullptr) return reply.Null();

  if (options->has_lifetime()) {
    const auto expire_at =
        ToMoment(context, options->lifetime.expiry, options->lifetime.unit, reply);
    if (!expire_at) return;
    AnswerValue(context, entry, reply);
    if (*expire_at <= context.keyspace.now_ms()) {
      context.keyspace.Delete(key);
    } else {
      context.keyspace.SetExpiry(key, *expire_at);
    }
    return;
  }
  AnswerValue(context, entry, reply);
  if (options->persist && entry->has_expiry()) context.keyspace.SetExpiry(key, kNoExpiry);
}

void MgetCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  if (!HaveValues(context, args, 1, args.size() - 1, reply)) return;
  reply.ArrayHeader(args.size() - 1);
  for (size_t i = 1; i < args.size(); ++i) {
    const Entry* entry = FindForRead(context, context.Key(args, i));
    if (entry != nullptr && entry->type() != ValueType::kString) entry = nullptr;
    AnswerValue(context, entry, reply);
  }
}

void MsetCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  if (!CheckPairs(context.spec, args, reply)) return;
  for (size_t i = 1; i < args.size(); i += 2) {
    context.keyspace.Set(context.Key(args, i), args[i + 1], kNoExpiry);
  }
  reply.Ok();
}

void MsetnxCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  if (!CheckPairs(context.spec, args, reply)) return;
  for (size_t i = 1; i < args.size(); i += 2) {
    if (context.keyspace.Peek(context.Key(args, i)) != nullptr) return reply.Integer(0);
  }
  for (size_t i = 1; i < args.size(); i += 2) {
    context.keyspace.Set(context.Key(args, i), args[i + 1], kNoExpiry);
  }
  reply.Integer(1);
}

}  // namespace tidemark::cache
