// The handlers of the rows in this package; docs/commands.md says what each command does. Each runs
// on one shard, on the keys it is given: a coordinator may call it with the part of a command's
// keys that are there. Internal: others reach them through CommandTable.

#ifndef TIDEMARK_CACHE_COMMANDS_HANDLERS_H_
#define TIDEMARK_CACHE_COMMANDS_HANDLERS_H_

#include "cache/command.h"

namespace tidemark::cache {

// string_commands.cc
void GetCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void SetCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void SetnxCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void SetexCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void PsetexCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void GetsetCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void GetdelCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void GetexCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void MgetCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void MsetCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void MsetnxCommand(CommandContext& context, Args args, ReplyBuilder& reply);

// range_commands.cc
void AppendCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void StrlenCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void GetrangeCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void SetrangeCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void LcsCommand(CommandContext& context, Args args, ReplyBuilder& reply);

// counter_commands.cc
void IncrCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void DecrCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void IncrbyCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void DecrbyCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void IncrbyfloatCommand(CommandContext& context, Args args, ReplyBuilder& reply);

// key_commands.cc
void DelCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ExistsCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void TypeCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void TouchCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void CopyCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void RenameCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void RenamenxCommand(CommandContext& context, Args args, ReplyBuilder& reply);

// expiry_commands.cc
void ExpireCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void PexpireCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ExpireatCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void PexpireatCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ExpiretimeCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void PexpiretimeCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void TtlCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void PttlCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void PersistCommand(CommandContext& context, Args args, ReplyBuilder& reply);

// keyspace_commands.cc
void KeysCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ScanCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void RandomkeyCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void DbsizeCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void FlushCommand(CommandContext& context, Args args, ReplyBuilder& reply);

// object_commands.cc
void ObjectEncodingCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ObjectFreqCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ObjectIdletimeCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ObjectRefcountCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void ObjectHelpCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void MemoryUsageCommand(CommandContext& context, Args args, ReplyBuilder& reply);

// The rows.
std::span<const CommandSpec> StringRows();
std::span<const CommandSpec> RangeRows();
std::span<const CommandSpec> KeyRows();
std::span<const CommandSpec> ExpiryRows();
std::span<const CommandSpec> KeyspaceRows();

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_HANDLERS_H_
