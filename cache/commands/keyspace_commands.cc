// Commands on all keys at once: here, on all of one shard.

#include "cache/commands/coordination.h"
#include "cache/commands/handlers.h"
#include "cache/commands/scan.h"

namespace tidemark::cache {

void KeysCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  std::vector<std::string> keys;
  CollectKeys(context.keyspace, args[1], keys);
  reply.ArrayHeader(keys.size());
  for (const std::string& key : keys) reply.Bulk(key);
}

void ScanCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<ScanRequest> request = ParseScan(args, reply);
  if (!request) return;
  std::vector<std::string> keys;
  uint64_t cursor = 0;
  if (request->shard == 0) {
    const uint64_t next_inner = ScanShard(context.keyspace, *request, keys);
    cursor = NextScanCursor(*request, next_inner, /*shard_count=*/1);
  }
  AnswerScan(cursor, keys, reply);
}

void RandomkeyCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<std::string> key = PickRandomKey(context.keyspace);
  if (!key) return reply.Null();
  reply.Bulk(*key);
}

void DbsizeCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  reply.Integer(static_cast<int64_t>(context.keyspace.size()));
}

void FlushCommand(CommandContext& context, Args args, ReplyBuilder& reply) {
  if (!CheckFlush(args, reply)) return;
  context.keyspace.Flush();
  reply.Ok();
}

}  // namespace tidemark::cache
