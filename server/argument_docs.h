// The arguments of the server's own commands, as COMMAND DOCS tells them: names, types and tokens
// are Redis', since tools build their completion from them.

#ifndef TIDEMARK_SERVER_ARGUMENT_DOCS_H_
#define TIDEMARK_SERVER_ARGUMENT_DOCS_H_

#include "cache/command.h"

namespace tidemark::server::arguments {

using Doc = cache::ArgumentDoc;

constexpr uint32_t kAny = Doc::kOptional | Doc::kMultiple;

// --- Connections. ---
inline constexpr Doc kEcho[] = {{.name = "message", .type = "string"}};
inline constexpr Doc kPing[] = {{.name = "message", .type = "string", .flags = Doc::kOptional}};
inline constexpr Doc kSelect[] = {{.name = "index", .type = "integer"}};
inline constexpr Doc kAuth[] = {
    {.name = "username", .type = "string", .flags = Doc::kOptional, .since = "6.0.0"},
    {.name = "password", .type = "string"},
};
inline constexpr Doc kUserAndPassword[] = {
    {.name = "username", .type = "string"},
    {.name = "password", .type = "string"},
};
inline constexpr Doc kHelloParts[] = {
    {.name = "protover", .type = "integer"},
    {.name = "username_password",
     .type = "block",
     .token = "AUTH",
     .flags = Doc::kOptional,
     .arguments = kUserAndPassword},
    {.name = "clientname", .type = "string", .token = "SETNAME", .flags = Doc::kOptional},
};
inline constexpr Doc kHello[] = {
    {.name = "arguments", .type = "block", .flags = Doc::kOptional, .arguments = kHelloParts},
};

// --- CLIENT. ---
inline constexpr Doc kKillTypes[] = {
    {.name = "normal", .type = "pure-token", .token = "NORMAL"},
    {.name = "master", .type = "pure-token", .token = "MASTER", .since = "3.2.0"},
    {.name = "slave", .type = "pure-token", .token = "SLAVE"},
    {.name = "replica", .type = "pure-token", .token = "REPLICA", .since = "5.0.0"},
    {.name = "pubsub", .type = "pure-token", .token = "PUBSUB"},
};
inline constexpr Doc kKillFilters[] = {
    {.name = "client-id",
     .type = "integer",
     .token = "ID",
     .flags = Doc::kOptional,
     .since = "2.8.12"},
    {.name = "normal_master_slave_pubsub",
     .type = "oneof",
     .token = "TYPE",
     .flags = Doc::kOptional,
     .arguments = kKillTypes,
     .since = "2.8.12"},
    {.name = "username", .type = "string", .token = "USER", .flags = Doc::kOptional},
    {.name = "ip:port", .type = "string", .token = "ADDR", .flags = Doc::kOptional},
    {.name = "ip:port",
     .type = "string",
     .token = "LADDR",
     .flags = Doc::kOptional,
     .since = "6.2.0"},
    {.name = "yes/no", .type = "string", .token = "SKIPME", .flags = Doc::kOptional},
};
inline constexpr Doc kKillForms[] = {
    {.name = "ip:port", .type = "string", .deprecated_since = "2.8.12"},
    {.name = "new-format", .type = "oneof", .flags = Doc::kMultiple, .arguments = kKillFilters},
};
inline constexpr Doc kClientKill[] = {
    {.name = "filter", .type = "oneof", .arguments = kKillForms},
};
inline constexpr Doc kListTypes[] = {
    {.name = "normal", .type = "pure-token", .token = "NORMAL"},
    {.name = "master", .type = "pure-token", .token = "MASTER"},
    {.name = "replica", .type = "pure-token", .token = "REPLICA"},
    {.name = "pubsub", .type = "pure-token", .token = "PUBSUB"},
};
inline constexpr Doc kListIds[] = {
    {.name = "client-id", .type = "integer", .flags = Doc::kMultiple},
};
inline constexpr Doc kClientList[] = {
    {.name = "normal_master_replica_pubsub",
     .type = "oneof",
     .token = "TYPE",
     .flags = Doc::kOptional,
     .arguments = kListTypes,
     .since = "5.0.0"},
    {.name = "id",
     .type = "block",
     .token = "ID",
     .flags = Doc::kOptional,
     .arguments = kListIds,
     .since = "6.2.0"},
};
inline constexpr Doc kOnOffTokens[] = {
    {.name = "on", .type = "pure-token", .token = "ON"},
    {.name = "off", .type = "pure-token", .token = "OFF"},
};
inline constexpr Doc kOnOff[] = {
    {.name = "enabled", .type = "oneof", .arguments = kOnOffTokens},
};
inline constexpr Doc kPauseModes[] = {
    {.name = "write", .type = "pure-token", .token = "WRITE"},
    {.name = "all", .type = "pure-token", .token = "ALL"},
};
inline constexpr Doc kClientPause[] = {
    {.name = "timeout", .type = "integer"},
    {.name = "mode",
     .type = "oneof",
     .flags = Doc::kOptional,
     .arguments = kPauseModes,
     .since = "6.2.0"},
};
inline constexpr Doc kReplyModes[] = {
    {.name = "on", .type = "pure-token", .token = "ON"},
    {.name = "off", .type = "pure-token", .token = "OFF"},
    {.name = "skip", .type = "pure-token", .token = "SKIP"},
};
inline constexpr Doc kClientReply[] = {
    {.name = "on_off_skip", .type = "oneof", .arguments = kReplyModes},
};
inline constexpr Doc kLibraryAttributes[] = {
    {.name = "libname", .type = "string", .token = "LIB-NAME"},
    {.name = "libver", .type = "string", .token = "LIB-VER"},
};
inline constexpr Doc kClientSetInfo[] = {
    {.name = "attr", .type = "oneof", .arguments = kLibraryAttributes},
};
inline constexpr Doc kClientSetName[] = {{.name = "connection-name", .type = "string"}};
inline constexpr Doc kUnblockReasons[] = {
    {.name = "timeout", .type = "pure-token", .token = "TIMEOUT"},
    {.name = "error", .type = "pure-token", .token = "ERROR"},
};
inline constexpr Doc kClientUnblock[] = {
    {.name = "client-id", .type = "integer"},
    {.name = "timeout_error",
     .type = "oneof",
     .flags = Doc::kOptional,
     .arguments = kUnblockReasons},
};

// --- CONFIG. ---
inline constexpr Doc kParameter[] = {{.name = "parameter", .type = "string"}};
inline constexpr Doc kConfigGet[] = {
    {.name = "parameter", .type = "block", .flags = Doc::kMultiple, .arguments = kParameter},
};
inline constexpr Doc kParameterAndValue[] = {
    {.name = "parameter", .type = "string"},
    {.name = "value", .type = "string"},
};
inline constexpr Doc kConfigSet[] = {
    {.name = "parameter_value",
     .type = "block",
     .flags = Doc::kMultiple,
     .arguments = kParameterAndValue},
};

// --- What happens in the node. ---
inline constexpr Doc kDebug[] = {{.name = "seconds", .type = "double", .token = "SLEEP"}};
inline constexpr Doc kInfo[] = {{.name = "section", .type = "string", .flags = kAny}};
inline constexpr Doc kLatencyEvent[] = {{.name = "event", .type = "string"}};
inline constexpr Doc kLatencyEvents[] = {{.name = "event", .type = "string", .flags = kAny}};
inline constexpr Doc kLatencyHistogram[] = {{.name = "command", .type = "string", .flags = kAny}};
inline constexpr Doc kLolwut[] = {
    {.name = "version", .type = "integer", .token = "VERSION", .flags = Doc::kOptional},
};
inline constexpr Doc kBgSave[] = {
    {.name = "schedule",
     .type = "pure-token",
     .token = "SCHEDULE",
     .flags = Doc::kOptional,
     .since = "3.2.2"},
};
inline constexpr Doc kShutdownSave[] = {
    {.name = "nosave", .type = "pure-token", .token = "NOSAVE"},
    {.name = "save", .type = "pure-token", .token = "SAVE"},
};
inline constexpr Doc kShutdown[] = {
    {.name = "nosave_save", .type = "oneof", .flags = Doc::kOptional, .arguments = kShutdownSave},
    {.name = "now",
     .type = "pure-token",
     .token = "NOW",
     .flags = Doc::kOptional,
     .since = "7.0.0"},
    {.name = "force",
     .type = "pure-token",
     .token = "FORCE",
     .flags = Doc::kOptional,
     .since = "7.0.0"},
    {.name = "abort",
     .type = "pure-token",
     .token = "ABORT",
     .flags = Doc::kOptional,
     .since = "7.0.0"},
};
inline constexpr Doc kSlowLogGet[] = {
    {.name = "count", .type = "integer", .flags = Doc::kOptional},
};
inline constexpr Doc kWaitAof[] = {
    {.name = "numlocal", .type = "integer"},
    {.name = "numreplicas", .type = "integer"},
    {.name = "timeout", .type = "integer"},
};
inline constexpr Doc kWait[] = {
    {.name = "numreplicas", .type = "integer"},
    {.name = "timeout", .type = "integer"},
};
inline constexpr Doc kHostAndPort[] = {
    {.name = "host", .type = "string"},
    {.name = "port", .type = "integer"},
};
inline constexpr Doc kNoOne[] = {
    {.name = "no", .type = "pure-token", .token = "NO"},
    {.name = "one", .type = "pure-token", .token = "ONE"},
};
inline constexpr Doc kReplicaOfParts[] = {
    {.name = "host-port", .type = "block", .arguments = kHostAndPort},
    {.name = "no-one", .type = "block", .arguments = kNoOne},
};
inline constexpr Doc kReplicaOf[] = {
    {.name = "args", .type = "oneof", .arguments = kReplicaOfParts},
};
inline constexpr Doc kFailoverTarget[] = {
    {.name = "host", .type = "string"},
    {.name = "port", .type = "integer"},
    {.name = "force", .type = "pure-token", .token = "FORCE", .flags = Doc::kOptional},
};
inline constexpr Doc kFailover[] = {
    {.name = "target",
     .type = "block",
     .token = "TO",
     .flags = Doc::kOptional,
     .arguments = kFailoverTarget},
    {.name = "abort", .type = "pure-token", .token = "ABORT", .flags = Doc::kOptional},
    {.name = "milliseconds", .type = "integer", .token = "TIMEOUT", .flags = Doc::kOptional},
};

}  // namespace tidemark::server::arguments

#endif  // TIDEMARK_SERVER_ARGUMENT_DOCS_H_
