// One shard with the data commands and COMMAND, to run commands on as a server with one shard
// would: lookup, arity, handler.

#ifndef TIDEMARK_CACHE_COMMANDS_LOCAL_SHARD_H_
#define TIDEMARK_CACHE_COMMANDS_LOCAL_SHARD_H_

#include <string>
#include <vector>

#include "cache/command.h"
#include "cache/commands/command_docs.h"
#include "cache/commands/recorded_reply.h"
#include "cache/keyspace.h"

namespace tidemark::cache {

class LocalShard {
 public:
  explicit LocalShard(MutationSink* sink = nullptr) : keyspace_(Keyspace::Options{.sink = sink}) {
    table_.Add(CommandTable::DataCommands());
    table_.Add(CommandRows());
  }

  Keyspace& keyspace() { return keyspace_; }
  const CommandTable& table() const { return table_; }

  void Run(const std::vector<std::string>& command, ReplyBuilder& reply) {
    const std::vector<std::string_view> views(command.begin(), command.end());
    const Args args(views);
    const CommandSpec* spec = table_.Find(args[0]);
    if (spec == nullptr) return UnknownCommand(args, reply);
    const CommandSpec* leaf = CommandTable::FindSubcommand(*spec, args);
    if (leaf == nullptr) return UnknownSubcommand(*spec, args, reply);
    if (!leaf->ArityFits(args.size())) return WrongArity(*leaf, reply);
    if (leaf->handler == nullptr) return AnswerCommand(table_, args, reply);
    CommandContext context{.keyspace = keyspace_, .spec = *leaf};
    if (leaf->keys.first > 0) {
      context.key_hash = KeyHash(args[static_cast<size_t>(leaf->keys.first)]);
    }
    leaf->handler(context, args, reply);
  }

  // The reply as text (recorded_reply.h).
  std::string Run(const std::vector<std::string>& command,
                  RecordedReply::Protocol protocol = RecordedReply::Protocol::kResp2) {
    RecordedReply reply(protocol);
    Run(command, reply);
    if (reply.replies() != 1 || !reply.complete()) return "(not one reply) " + reply.text();
    return reply.text();
  }

 private:
  Keyspace keyspace_;
  CommandTable table_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_LOCAL_SHARD_H_
