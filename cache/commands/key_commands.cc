// Commands on keys whatever their values.

#include "cache/commands/access.h"
#include "cache/commands/coordination.h"
#include "cache/commands/handlers.h"

namespace tidemark::cache {
namespace {

// Moves args[1] to args[2] with its expiry.
void Move(CommandContext& context, Args args, const Entry& source) {
  context.keyspace.Set(context.Key(args, 2), ValueOf(context, source), source.expiry());
  context.keyspace.Delete(context.Key(args, 1));
}

}  // namespace

void DelCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  int64_t deleted = 0;
  for (size_t i = 1; i < args.size(); ++i) {
    if (context.keyspace.Delete(context.Key(args, i))) ++deleted;
  }
  reply.Integer(deleted);
}

void ExistsCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  int64_t present = 0;
  for (size_t i = 1; i < args.size(); ++i) {
    if (context.keyspace.Peek(context.Key(args, i)) != nullptr) ++present;
  }
  reply.Integer(present);
}

void TypeCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* entry = context.keyspace.Peek(context.Key(args, 1));
  reply.Status(entry == nullptr ? "none" : TypeName(entry->type()));
}

void TouchCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  int64_t touched = 0;
  for (size_t i = 1; i < args.size(); ++i) {
    if (context.keyspace.Find(context.Key(args, i)) != nullptr) ++touched;
  }
  reply.Integer(touched);
}

void CopyCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<CopyOptions> options = ParseCopy(args, reply);
  if (!options) return;
  const Entry* source;
  if (!FindValue(context, context.Key(args, 1), &source, reply)) return;
  if (source == nullptr) return reply.Integer(0);
  const KeyRef destination = context.Key(args, 2);
  if (!options->replace && context.keyspace.Peek(destination) != nullptr) return reply.Integer(0);
  context.keyspace.Set(destination, ValueOf(context, *source), source->expiry());
  reply.Integer(1);
}

void RenameCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* source = context.keyspace.Peek(context.Key(args, 1));
  if (source == nullptr) return reply.Error(kNoSuchKey);
  if (args[1] != args[2]) {
    if (!HasValue(context, source, reply)) return;
    Move(context, args, *source);
  }
  reply.Ok();
}

void RenamenxCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const Entry* source = context.keyspace.Peek(context.Key(args, 1));
  if (source == nullptr) return reply.Error(kNoSuchKey);
  if (context.keyspace.Peek(context.Key(args, 2)) != nullptr) return reply.Integer(0);
  if (!HasValue(context, source, reply)) return;
  Move(context, args, *source);
  reply.Integer(1);
}

}  // namespace tidemark::cache
