#include "cache/commands/commands_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace tidemark::cache {
namespace {

constexpr std::string_view kIntroduction =
    R"(<!-- Written by `bazel run //server:write_commands_page`: change the command table instead. -->
# Commands

What this server answers. Replies and errors are those of Redis 7.0, held to it by two comparisons with a real
`redis-server`: of the commands on keys and values (`cache/commands/differential_test.cc`) and of the server's
own (`integration/server_commands_test.cc`). What differs, and why:

Keys and values:

- There is one database: `SELECT` and `COPY ... DB n` take 0 only.
- `OBJECT ENCODING` names what Redis would use, judged by the value alone: after `INCRBYFLOAT` or `COPY` Redis
  may keep another. `OBJECT FREQ` always answers that frequencies are not tracked.
- `MEMORY USAGE` tells the bytes of this store. `UNLINK` is `DEL`, and `ASYNC` and `SYNC` make no difference:
  memory is given back in slices.
- A `SCAN` cursor carries the shard, so cursors are large numbers. Every call visits one shard.

Not here, and answered as unknown: transactions (`MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`), `PUBLISH` and
`SUBSCRIBE` with their kin, scripts and functions, `MONITOR`, `ACL`, `CLUSTER`, `CLIENT TRACKING` with its kin,
and all types of values but strings.

The server's own commands:

- A `HELLO` that fails changes nothing; Redis keeps the name of a `SETNAME` before the fault.
- `CLIENT PAUSE` holds back no command of an administrator, so that `CLIENT UNPAUSE` can end it; under
  `CLIENT PAUSE ... ALL` Redis holds it back as well.
- `CLIENT LIST` shows `lib-name` and `lib-ver`, and `CLIENT SETINFO` and `CLIENT NO-TOUCH` are here: as in Redis
  7.2.
- `QUIT` closes the connection even if its reply is not wanted (`CLIENT REPLY`); Redis leaves it half dead.
- A command that asks all shards is counted when it begins: `SLOWLOG GET` and `LATENCY HISTOGRAM` see their own
  call, and `CONFIG RESETSTAT` leaves none of its own. `SLOWLOG` orders by the second; its ids carry the shard.
- `CONFIG GET` knows the settings of this server (configuration.md) and those of Redis that clients ask for.
  Where Redis takes any value for something that this server has not (`save`, `appendonly`,
  `notify-keyspace-events`), `CONFIG SET` takes the value that holds and refuses others, rather than
  promise what does not happen.
- `maxmemory-policy` has one more policy than Redis', and that is the default (memory.md). Under it `OBJECT FREQ` answers from 0 to 7;
  `OBJECT IDLETIME` works while there is no `maxmemory`.
- `DEBUG` has `SLEEP` alone, which takes only numbers and stops one shard. `LOLWUT`, the texts of `HELP`, and
  `LATENCY DOCTOR` are our own; `MEMORY STATS` and `INFO` leave out what has no meaning here.
- `REPLICAOF` asks before it changes anything: the node itself, a node that follows it, a node that takes no replicas
  and what is no node of this server are refused. It keeps the data where histories allow (roles.md). A replica
  serves replicas if it has as many shards as its primary.
- `FAILOVER` without `TIMEOUT` gives up after 10 s (Redis: never), pauses writes only once the target is nearly there,
  and sends the other replicas to the new primary.
- `SHUTDOWN SAVE`, `SAVE`, `BGSAVE`, `BGREWRITEAOF` and `LASTSAVE` need `data_dir`; without it they are refused.

`TIDE` and its subcommands are this server's own, since the version of it that the last column names.

The column "shards" says how a command comes about whose keys are on several of them; whatever it says, no
client ever sees a half of it.
)";

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string result;
  for (const std::string& part : parts) {
    if (!result.empty()) result += separator;
    result += part;
  }
  return result;
}

std::string SyntaxOf(const ArgumentDoc& argument) {
  std::vector<std::string> parts;
  for (const ArgumentDoc& each : argument.arguments) parts.push_back(SyntaxOf(each));
  std::string text;
  if (argument.type == "oneof") {
    text = Join(parts, " | ");
  } else if (argument.type == "block") {
    text = Join(parts, " ");
  } else if (argument.type != "pure-token") {
    text = argument.name;
  }
  if (!argument.token.empty()) {
    const bool grouped = argument.type == "oneof";
    text = std::string(argument.token) + (text.empty() ? ""
                                          : grouped    ? " <" + text + ">"
                                                       : " " + text);
  }
  if ((argument.flags & ArgumentDoc::kMultiple) != 0) {
    // A choice is too long to say twice.
    text += argument.type == "oneof" ? " [...]" : " [" + text + " ...]";
  }
  if ((argument.flags & ArgumentDoc::kOptional) != 0) text = "[" + text + "]";
  return text;
}

std::string_view ShardsOf(const CommandSpec& spec) {
  switch (spec.scatter) {
    case Scatter::kNone:
      return spec.keys.first == 0 ? "" : "one";
    case Scatter::kSum:
      return "those of the keys; counts are added";
    case Scatter::kGather:
      return "those of the keys; values in the order of the keys";
    case Scatter::kPairs:
      return "those of the keys";
    case Scatter::kCustom:
      return "those of the keys";
    case Scatter::kAllShards:
      return "all";
    case Scatter::kCursor:
      return "one after the other";
  }
  return "";
}

void AppendRow(const CommandSpec& spec, std::string& page) {
  std::string syntax = SyntaxOf(spec);
  // A bar would end the cell, even in code.
  for (size_t at = 0; (at = syntax.find('|', at)) != std::string::npos; at += 2) {
    syntax.insert(at, "\\");
  }
  std::string summary(spec.summary);
  if (!spec.replaced_by.empty()) summary += fmt::format(" Deprecated: use {}.", spec.replaced_by);
  page += fmt::format("| `{}` | {} | {} | {} | {} |\n", syntax, summary, spec.complexity,
                      ShardsOf(spec), spec.since);
}

}  // namespace

std::string SyntaxOf(const CommandSpec& spec) {
  std::string text = ToUpper(spec.name);
  std::replace(text.begin(), text.end(), '|', ' ');
  for (const ArgumentDoc& argument : spec.arguments) text += " " + SyntaxOf(argument);
  return text;
}

std::string CommandsPage(const CommandTable& table) {
  std::map<std::string_view, std::vector<const CommandSpec*>> groups;
  for (const CommandSpec* spec : table.All()) groups[spec->group].push_back(spec);
  std::string page(kIntroduction);
  for (const auto& [group, specs] : groups) {
    page += fmt::format("\n## Group: {}\n\n", group);
    page +=
        "| command | what it does | time | shards | since Redis |\n| --- | --- | --- | --- | --- "
        "|\n";
    for (const CommandSpec* spec : specs) {
      if (spec->subcommands.empty() || spec->arity == -1) AppendRow(*spec, page);
      for (const CommandSpec& subcommand : spec->subcommands) AppendRow(subcommand, page);
    }
  }
  return page;
}

}  // namespace tidemark::cache
