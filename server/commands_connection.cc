// PING, ECHO, SELECT, QUIT, RESET, HELLO, AUTH: what a client says to start, test and end a
// conversation.

#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/client_name.h"
#include "server/node.h"
#include "server/server_command.h"
#include "server/version.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void Ping(Client& client, Args args) {
  ReplyBuilder& reply = client.reply();
  if (args.size() > 2) return WrongArity(client.command(), reply);
  if (args.size() == 2) return reply.Bulk(args[1]);
  reply.Status("PONG");
}

void Echo(Client& client, Args args) { client.reply().Bulk(args[1]); }

void Select(Client& client, Args args) {
  ReplyBuilder& reply = client.reply();
  const std::optional<int64_t> index = ParseInteger(args[1]);
  if (!index) return reply.Error(kNotAnInteger);
  if (*index != 0) return reply.Error("ERR DB index is out of range");
  reply.Ok();
}

void Quit(Client& client, Args) {
  client.reply().Ok();
  client.CloseAfterReplies();
}

void Reset(Client& client, Args) {
  client.ResetState();
  client.reply().Status("RESET");
}

constexpr std::string_view kNoPassword =
    "ERR AUTH <password> called without any password configured for the default user. Are you sure "
    "your configuration is correct?";
constexpr std::string_view kWrongPass =
    "WRONGPASS invalid username-password pair or user is disabled.";

// Null if `user` and `password` are accepted, else the error to answer with.
std::optional<std::string_view> CheckPassword(Client& client, std::string_view user,
                                              std::string_view password) {
  if (user == "default" && client.node().password().Matches(password)) {
    client.set_authenticated();
    return std::nullopt;
  }
  return kWrongPass;
}

void Auth(Client& client, Args args) {
  ReplyBuilder& reply = client.reply();
  if (args.size() > 3) return reply.Error(kSyntaxError);
  if (args.size() == 2 && !client.node().password().required()) return reply.Error(kNoPassword);
  const std::string_view user = args.size() == 3 ? args[1] : "default";
  if (auto error = CheckPassword(client, user, args.back())) return reply.Error(*error);
  reply.Ok();
}

void Hello(Client& client, Args args) {
  ReplyBuilder& reply = client.reply();
  int protocol = client.protocol();
  size_t next = 1;
  if (args.size() > 1) {
    const std::optional<int64_t> version = ParseInteger(args[1]);
    if (!version) return reply.Error("ERR Protocol version is not an integer or out of range");
    if (*version < 2 || *version > 3) return reply.Error("NOPROTO unsupported protocol version");
    protocol = static_cast<int>(*version);
    next = 2;
  }
  std::optional<std::string_view> name;
  for (; next < args.size(); ++next) {
    const size_t left = args.size() - next - 1;
    if (EqualsIgnoreCase(args[next], "AUTH") && left >= 2) {
      if (auto error = CheckPassword(client, args[next + 1], args[next + 2])) {
        return reply.Error(*error);
      }
      next += 2;
    } else if (EqualsIgnoreCase(args[next], "SETNAME") && left >= 1) {
      name = args[++next];
      if (!IsOneVisibleWord(*name)) return reply.Error(kBadClientName);
    } else {
      return reply.Error(
          fmt::format("ERR Syntax error in HELLO option '{}'", args[next].substr(0, 128)));
    }
  }
  if (!client.authenticated()) {
    return reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
        "protocol version at the same time");
  }
  if (name) client.set_name(*name);
  client.set_protocol(protocol);

  reply.MapHeader(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(protocol);
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(client.id()));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk(client.node().is_replica() ? "replica" : "master");
  reply.Bulk("modules");
  reply.ArrayHeader(0);
}

constexpr uint32_t kAnyTime = kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy;

constexpr std::string_view kCategories = "@fast @connection";
constexpr RowFamily kPingFamily = {kCategories, "connection", kFast};
constexpr RowFamily kOpenFamily = {kCategories, "connection", kLoading | kStale | kFast};
constexpr RowFamily kAnyTimeFamily = {kCategories, "connection", kAnyTime};

constexpr std::array kRows = {
    WithTips(Row(kPingFamily, "ping", -1, Ping, "1.0.0",
                 "Answers PONG, or the message it was given.", "O(1)", arguments::kPing),
             "request_policy:all_shards response_policy:all_succeeded"),
    Row(kOpenFamily, "echo", 2, Echo, "1.0.0", "Answers its argument.", "O(1)", arguments::kEcho),
    Row(kOpenFamily, "select", 2, Select, "1.0.0", "Chooses the database; there is one, number 0.",
        "O(1)", arguments::kSelect),
    Row(kAnyTimeFamily, "quit", -1, Quit, "1.0.0", "Closes the connection after its replies."),
    Row(kAnyTimeFamily, "reset", 1, Reset, "6.2.0", "Puts the connection back to how it began."),
    Row(kAnyTimeFamily, "hello", -1, Hello, "6.0.0",
        "Chooses the protocol, and may authenticate and name the connection.", "O(1)",
        arguments::kHello),
    Row(kAnyTimeFamily, "auth", -2, Auth, "1.0.0", "Authenticates the connection.", "O(1)",
        arguments::kAuth),
};

}  // namespace

std::span<const ServerCommand> ConnectionCommands() { return kRows; }

}  // namespace tidemark::server
