// CLIENT: what the node knows of its connections, and what may be done to them.

#include <fmt/format.h>

#include <array>
#include <map>
#include <numeric>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/client_name.h"
#include "server/gather.h"
#include "server/help.h"
#include "server/node.h"
#include "server/server_command.h"
#include "server/shard_node.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void Id(Client& client, Args) { client.reply().Integer(static_cast<int64_t>(client.id())); }

void Info(Client& client, Args) { client.reply().Verbatim("txt", client.Describe() + "\n"); }

// Which clients a filter of CLIENT LIST or CLIENT KILL means. Empty members match all.
struct ClientFilter {
  std::vector<uint64_t> ids;
  std::string type;
  std::string address;
  std::string local_address;
  std::string user;
  uint64_t not_id = 0;

  bool Matches(const Client& client) const {
    const auto& connection = const_cast<Client&>(client).connection();
    if (!ids.empty() && std::find(ids.begin(), ids.end(), client.id()) == ids.end()) return false;
    if (!type.empty() && type != "normal") return false;
    if (!address.empty() && address != connection.address()) return false;
    if (!local_address.empty() && local_address != connection.local_address()) return false;
    if (!user.empty() && user != "default") return false;
    return not_id == 0 || client.id() != not_id;
  }
};

bool KnownType(std::string_view type) {
  for (std::string_view known : {"normal", "master", "slave", "replica", "pubsub"}) {
    if (EqualsIgnoreCase(type, known)) return true;
  }
  return false;
}

void List(Client& client, Args args) {
  ClientFilter filter;
  if (args.size() == 4 && EqualsIgnoreCase(args[2], "TYPE")) {
    if (!KnownType(args[3])) {
      return client.reply().Error(fmt::format("ERR Unknown client type '{}'", args[3]));
    }
    filter.type = ToLower(args[3]);
  } else if (args.size() > 3 && EqualsIgnoreCase(args[2], "ID")) {
    for (std::string_view arg : args.subspan(3)) {
      const std::optional<int64_t> id = ParseInteger(arg);
      if (!id) return client.reply().Error("ERR Invalid client ID");
      filter.ids.push_back(static_cast<uint64_t>(*id));
    }
  } else if (args.size() != 2) {
    return client.reply().Error(kSyntaxError);
  }
  using Lines = std::map<uint64_t, std::string>;  // By the clients' ids: the oldest comes first.
  GatherThenReply<Lines>(
      client,
      [filter](ShardNode& shard) {
        Lines lines;
        shard.ForEachClient([&](Client& each) {
          if (filter.Matches(each)) lines[each.id()] = each.Describe() + "\n";
        });
        return lines;
      },
      [](std::vector<Lines>& parts, ReplyBuilder& reply) {
        Lines lines;
        for (Lines& part : parts) lines.merge(part);
        std::string all;
        for (const auto& [id, line] : lines) all += line;
        reply.Verbatim("txt", all);
      });
}

void KillMatching(Client& client, ClientFilter filter, bool old_form) {
  // What the client sent behind this must not run if it dies of it.
  Gather<int64_t>(
      client.shard(),
      [filter, killer = client.id()](ShardNode& shard) {
        std::vector<Client*> victims;
        shard.ForEachClient([&](Client& each) {
          if (filter.Matches(each)) victims.push_back(&each);
        });
        for (Client* victim : victims) {
          // Who kills itself is told so first.
          victim->id() == killer ? victim->CloseAfterReplies() : victim->Kill();
        }
        return static_cast<int64_t>(victims.size());
      },
      [old_form,
       complete = client.Block(Client::OnRoleChange::kKeepWaiting)](std::vector<int64_t>& counts) {
        const int64_t killed = std::accumulate(counts.begin(), counts.end(), int64_t{0});
        complete([&](ReplyBuilder& reply) {
          if (!old_form) return reply.Integer(killed);
          if (killed == 0) return reply.Error("ERR No such client");
          reply.Ok();
        });
      });
}

void Kill(Client& client, Args args) {
  ClientFilter filter;
  if (args.size() == 3) {
    filter.address = std::string(args[2]);
    return KillMatching(client, filter, true);
  }
  bool skip_me = true;
  if (args.size() % 2 != 0) return client.reply().Error(kSyntaxError);
  for (size_t i = 2; i < args.size(); i += 2) {
    const std::string_view value = args[i + 1];
    if (EqualsIgnoreCase(args[i], "ID")) {
      const std::optional<int64_t> id = ParseInteger(value);
      if (!id || *id <= 0) {
        return client.reply().Error("ERR client-id should be greater than 0");
      }
      filter.ids = {static_cast<uint64_t>(*id)};
    } else if (EqualsIgnoreCase(args[i], "TYPE")) {
      if (!KnownType(value)) {
        return client.reply().Error(fmt::format("ERR Unknown client type '{}'", value));
      }
      filter.type = ToLower(value);
    } else if (EqualsIgnoreCase(args[i], "ADDR")) {
      filter.address = std::string(value);
    } else if (EqualsIgnoreCase(args[i], "LADDR")) {
      filter.local_address = std::string(value);
    } else if (EqualsIgnoreCase(args[i], "USER")) {
      if (value != "default") {
        return client.reply().Error(fmt::format("ERR No such user '{}'", value));
      }
      filter.user = std::string(value);
    } else if (EqualsIgnoreCase(args[i], "SKIPME")) {
      if (!EqualsIgnoreCase(value, "yes") && !EqualsIgnoreCase(value, "no")) {
        return client.reply().Error(kSyntaxError);
      }
      skip_me = EqualsIgnoreCase(value, "yes");
    } else {
      return client.reply().Error(kSyntaxError);
    }
  }
  if (skip_me) filter.not_id = client.id();
  KillMatching(client, filter, false);
}

void SetName(Client& client, Args args) {
  if (!IsOneVisibleWord(args[2])) return client.reply().Error(kBadClientName);
  client.set_name(args[2]);
  client.reply().Ok();
}

void GetName(Client& client, Args) {
  if (client.name().empty()) return client.reply().Null();
  client.reply().Bulk(client.name());
}

void SetInfo(Client& client, Args args) {
  const bool is_name = EqualsIgnoreCase(args[2], "LIB-NAME");
  if (!is_name && !EqualsIgnoreCase(args[2], "LIB-VER")) {
    return client.reply().Error(fmt::format("ERR Unrecognized option '{}'", args[2]));
  }
  if (!IsOneVisibleWord(args[3])) {
    return client.reply().Error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.",
                    is_name ? "lib-name" : "lib-ver"));
  }
  (is_name ? client.library_name : client.library_version) = std::string(args[3]);
  client.reply().Ok();
}

// "on" or "off" into `value`; answers the syntax error itself.
bool ParseOnOff(Client& client, std::string_view text, bool& value) {
  value = EqualsIgnoreCase(text, "on");
  if (value || EqualsIgnoreCase(text, "off")) return true;
  client.reply().Error(kSyntaxError);
  return false;
}

void NoEvict(Client& client, Args args) {
  bool on = false;
  if (!ParseOnOff(client, args[2], on)) return;
  client.no_evict = on;
  client.reply().Ok();
}

void NoTouch(Client& client, Args args) {
  bool on = false;
  if (!ParseOnOff(client, args[2], on)) return;
  client.set_no_touch(on);
  client.reply().Ok();
}

void Reply(Client& client, Args args) {
  if (EqualsIgnoreCase(args[2], "ON")) {
    client.set_reply_mode(Client::ReplyMode::kOn);
    client.reply().Ok();
  } else if (EqualsIgnoreCase(args[2], "OFF")) {
    client.set_reply_mode(Client::ReplyMode::kOff);
  } else if (EqualsIgnoreCase(args[2], "SKIP")) {
    client.SkipNextReply();
  } else {
    client.reply().Error(kSyntaxError);
  }
}

void Pause(Client& client, Args args) {
  if (args.size() > 4) return UnknownSubcommandOrArity(args, client.reply());
  bool writes_only = false;
  if (args.size() == 4) {
    writes_only = EqualsIgnoreCase(args[3], "WRITE");
    if (!writes_only && !EqualsIgnoreCase(args[3], "ALL")) {
      return client.reply().Error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  const std::optional<int64_t> ms = ParseInteger(args[2]);
  if (!ms) return client.reply().Error("ERR timeout is not an integer or out of range");
  if (*ms < 0) return client.reply().Error("ERR timeout is negative");
  const int64_t now_ms = client.shard().now_ms();
  if (*ms > INT64_MAX - now_ms) return client.reply().Error("ERR timeout is out of range");
  client.node().pause_gate().Pause(now_ms, *ms, writes_only);
  client.reply().Ok();
}

void Unpause(Client& client, Args) {
  client.node().pause_gate().Unpause();
  client.reply().Ok();
}

void GetRedir(Client& client, Args) { client.reply().Integer(-1); }

void Unblock(Client& client, Args args) {
  if (args.size() > 4) return UnknownSubcommandOrArity(args, client.reply());
  if (args.size() == 4 && !EqualsIgnoreCase(args[3], "TIMEOUT") &&
      !EqualsIgnoreCase(args[3], "ERROR")) {
    return client.reply().Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  if (!ParseInteger(args[2])) return client.reply().Error(kNotAnInteger);
  // Nothing that blocks here can be unblocked: WAIT ends by its timeout.
  client.reply().Integer(0);
}

constexpr std::string_view kHelp[] = {
    "GETNAME",
    "    The name of this connection.",
    "ID",
    "    The id of this connection.",
    "INFO",
    "    One line about this connection.",
    "KILL <ip:port> | <option> <value> ...",
    "    Closes connections. Options: ID, ADDR, LADDR, TYPE, USER, SKIPME (yes|no).",
    "LIST [TYPE <type>] [ID <id> ...]",
    "    One line about each connection.",
    "NO-EVICT (ON|OFF)",
    "    Whether this connection is spared by client eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Whether this connection's reads leave keys' access times alone.",
    "PAUSE <ms> [WRITE|ALL]",
    "    Holds back commands for that long.",
    "REPLY (ON|OFF|SKIP)",
    "    Whether this connection's commands are answered.",
    "SETINFO <LIB-NAME|LIB-VER> <value>",
    "    Notes which client library this is.",
    "SETNAME <name>",
    "    Names this connection.",
    "UNPAUSE",
    "    Ends a pause.",
};

void Help(Client& client, Args) { AnswerHelp("CLIENT", kHelp, client.reply()); }

constexpr std::string_view kByClients = "O(N) in the number of connections";

constexpr uint32_t kOpen = kNoScript | kLoading | kStale;

constexpr RowFamily kOwn = {"@slow @connection", "connection", kOpen};
constexpr RowFamily kOthers = {"@admin @slow @dangerous @connection", "connection", kAdmin | kOpen};
constexpr RowFamily kHelpFamily = {"@slow @connection", "connection", kLoading | kStale};
constexpr RowFamily kContainerFamily = {"@slow", "connection"};

constexpr std::array kSubcommands = {
    Row(kOwn, "client|getname", 2, GetName, "2.6.9", "The name of the connection."),
    Row(kOwn, "client|getredir", 2, GetRedir, "6.0.0",
        "The connection that gets this one's invalidations: none here."),
    Row(kHelpFamily, "client|help", 2, Help, "5.0.0", "The subcommands in brief."),
    Row(kOwn, "client|id", 2, Id, "5.0.0", "The id of the connection."),
    WithTips(Row(kOwn, "client|info", 2, Info, "6.2.0", "One line about the connection."),
             kChanges),
    Row(kOthers, "client|kill", -3, Kill, "2.4.0", "Closes connections that match a filter.",
        kByClients, arguments::kClientKill),
    WithTips(Row(kOthers, "client|list", -2, List, "2.4.0", "One line about each connection.",
                 kByClients, arguments::kClientList),
             kChanges),
    Row(kOthers, "client|no-evict", 3, NoEvict, "7.0.0",
        "Whether the connection is spared by client eviction.", "O(1)", arguments::kOnOff),
    Row(kOwn, "client|no-touch", 3, NoTouch, "7.2.0",
        "Whether the connection's reads leave access times alone.", "O(1)", arguments::kOnOff),
    Row(kOthers, "client|pause", -3, Pause, "2.9.50", "Holds back commands for a time.", "O(1)",
        arguments::kClientPause),
    Row(kOwn, "client|reply", 3, Reply, "3.2.0", "Whether the connection's commands are answered.",
        "O(1)", arguments::kClientReply),
    Row(kOwn, "client|setinfo", 4, SetInfo, "7.2.0", "Notes which client library this is.", "O(1)",
        arguments::kClientSetInfo),
    Row(kOwn, "client|setname", 3, SetName, "2.6.9", "Names the connection.", "O(1)",
        arguments::kClientSetName),
    Row(kOthers, "client|unblock", -3, Unblock, "5.0.0", "Ends another connection's wait.", "O(1)",
        arguments::kClientUnblock),
    Row(kOthers, "client|unpause", 2, Unpause, "6.2.0", "Ends a pause."),
};

constexpr std::array kRows = {Container(kContainerFamily, "client", "2.4.0",
                                        "Container of the commands about connections.",
                                        kSubcommands)};

}  // namespace

std::span<const ServerCommand> ClientCommands() { return kRows; }

}  // namespace tidemark::server
