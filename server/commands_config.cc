// CONFIG: the settings of a running node. What there is and what may change is in base/settings.

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/settings/settings.h"
#include "cache/commands/errors.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/gather.h"
#include "server/help.h"
#include "server/node.h"
#include "server/server_command.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void Get(Client& client, Args args) {
  const auto found = client.node().settings().ConfigGet(args.subspan(2));
  ReplyBuilder& reply = client.reply();
  reply.MapHeader(found.size());
  for (const auto& [name, value] : found) {
    reply.Bulk(name);
    reply.Bulk(value);
  }
}

void AnswerError(const absl::Status& status, ReplyBuilder& reply) {
  reply.Error({status.message().data(), status.message().size()});
}

void Set(Client& client, Args args) {
  if (args.size() % 2 != 0) return client.reply().Error(kSyntaxError);
  std::vector<std::pair<std::string_view, std::string_view>> changes;
  for (size_t i = 2; i < args.size(); i += 2) changes.emplace_back(args[i], args[i + 1]);
  const absl::Status set = client.node().settings().ConfigSet(changes);
  if (!set.ok()) return AnswerError(set, client.reply());
  // The shards have been told. Asking each of them comes behind that: by the answer all obey.
  GatherThenReply<int>(
      client, [](ShardNode&) { return 0; },
      [](std::vector<int>&, ReplyBuilder& reply) { reply.Ok(); });
}

void Rewrite(Client& client, Args) {
  const absl::Status written = client.node().settings().ConfigRewrite();
  if (!written.ok()) return AnswerError(written, client.reply());
  client.reply().Ok();
}

void ResetStat(Client& client, Args) {
  GatherThenReply<int>(
      client,
      [](ShardNode& shard) {
        shard.ResetStats();
        return 0;
      },
      [](std::vector<int>&, ReplyBuilder& reply) { reply.Ok(); });
}

constexpr std::string_view kHelp[] = {
    "GET <pattern> ...",
    "    The settings whose names match.",
    "RESETSTAT",
    "    Sets the counters that INFO shows back to zero.",
    "REWRITE",
    "    Writes what was changed into the configuration file.",
    "SET <name> <value> ...",
    "    Changes settings: all of them or none.",
};

void Help(Client& client, Args) { AnswerHelp("CONFIG", kHelp, client.reply()); }

constexpr RowFamily kFamily = {"@admin @slow @dangerous", "server",
                               kAdmin | kNoScript | kLoading | kStale};
constexpr RowFamily kHelpFamily = {"@slow", "server", kLoading | kStale};
constexpr RowFamily kContainerFamily = {"@slow", "server"};

constexpr std::array kSubcommands = {
    Row(kFamily, "config|get", -3, Get, "2.0.0", "The settings whose names match.", kByResults,
        arguments::kConfigGet),
    Row(kHelpFamily, "config|help", 2, Help, "5.0.0", "The subcommands in brief."),
    Row(kFamily, "config|resetstat", 2, ResetStat, "2.0.0", "Sets INFO's counters back to zero."),
    Row(kFamily, "config|rewrite", 2, Rewrite, "2.8.0",
        "Writes changes into the configuration file."),
    WithTips(Row(kFamily, "config|set", -4, Set, "2.0.0", "Changes settings: all of them or none.",
                 "O(N) in the number of settings", arguments::kConfigSet),
             kAllNodesMustSucceed),
};

constexpr std::array kRows = {Container(kContainerFamily, "config", "2.0.0",
                                        "Container of the commands about settings.", kSubcommands)};

}  // namespace

std::span<const ServerCommand> ConfigCommands() { return kRows; }

}  // namespace tidemark::server
