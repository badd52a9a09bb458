// LATENCY: how long commands took, over all shards.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/text.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/gather.h"
#include "server/help.h"
#include "server/node.h"
#include "server/server_command.h"
#include "server/shard_node.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void AnswerHistogram(const CommandStats::Row& row, ReplyBuilder& reply) {
  reply.MapHeader(2);
  reply.Bulk("calls");
  reply.Integer(static_cast<int64_t>(row.calls));
  reply.Bulk("histogram_usec");
  const auto points = row.latency.CumulativeByPowerOfTwo();
  reply.MapHeader(points.size());
  for (const auto& point : points) {
    reply.Integer(static_cast<int64_t>(point.usec));
    reply.Integer(static_cast<int64_t>(point.count));
  }
}

// The ids of the commands that `names` mean (a container's name means its subcommands too); all if
// empty.
std::vector<int> WantedIds(const CommandTable& table, const std::vector<std::string>& names) {
  std::vector<int> ids;
  for (int id = 0; id < table.size(); ++id) {
    const std::string_view name = table.ById(id).name;
    const bool wanted = std::any_of(names.begin(), names.end(), [&](const std::string& each) {
      return each == name || (name.starts_with(each) && name.substr(each.size()).starts_with('|'));
    });
    if (names.empty() || wanted) ids.push_back(id);
  }
  return ids;
}

void Histogram(Client& client, Args args) {
  std::vector<std::string> names;
  for (std::string_view name : args.subspan(2)) names.push_back(ToLower(name));
  if (!client.node().settings().Bool(Setting::kLatencyTracking)) return client.reply().MapHeader(0);
  const CommandTable& table = client.node().commands();
  GatherThenReply<CommandStats>(
      client, [](ShardNode& shard) { return shard.shard().command_stats(); },
      [&table, names](std::vector<CommandStats>& parts, ReplyBuilder& reply) {
        CommandStats total(table.size());
        for (const CommandStats& part : parts) total.Merge(part);
        std::vector<int> ids = WantedIds(table, names);
        std::erase_if(ids, [&](int id) { return total.row(id).calls == 0; });
        reply.MapHeader(ids.size());
        for (int id : ids) {
          reply.Bulk(table.ById(id).name);
          AnswerHistogram(total.row(id), reply);
        }
      });
}

// Events are not sampled here (latency-monitor-threshold is 0 in Redis too): there are none to
// forget.
void LatencyReset(Client& client, Args) { client.reply().Integer(0); }
void LatencyLatest(Client& client, Args) { client.reply().ArrayHeader(0); }
void LatencyHistory(Client& client, Args) { client.reply().ArrayHeader(0); }
void LatencyGraph(Client& client, Args args) {
  client.reply().Error(fmt::format("ERR No samples available for event '{}'", args[2]));
}
void LatencyDoctor(Client& client, Args) {
  client.reply().Verbatim(
      "txt",
      "Events are not sampled on this node. LATENCY HISTOGRAM, SLOWLOG and INFO latencystats "
      "show where commands spend their time.\n");
}

constexpr std::string_view kLatencyHelp[] = {
    "DOCTOR",
    "    Where to look for what is slow.",
    "GRAPH <event>",
    "    A picture of an event's samples: none are kept.",
    "HISTOGRAM [<command> ...]",
    "    The distribution of the commands' durations, in microseconds.",
    "HISTORY <event>",
    "    Samples of an event: none are kept.",
    "LATEST",
    "    The latest sample of each event: none are kept.",
    "RESET [<event> ...]",
    "    Forgets samples.",
};
void LatencyHelp(Client& client, Args) { AnswerHelp("LATENCY", kLatencyHelp, client.reply()); }

constexpr RowFamily kFamily = {"@admin @slow @dangerous", "server",
                               kAdmin | kNoScript | kLoading | kStale};
constexpr RowFamily kHelpFamily = {"@slow", "server", kLoading | kStale};
constexpr RowFamily kContainerFamily = {"@slow", "server"};

constexpr std::array kSubcommands = {
    WithTips(Row(kFamily, "latency|doctor", 2, LatencyDoctor, "2.8.13",
                 "Where to look for what is slow."),
             kAllNodesDiffer),
    WithTips(Row(kFamily, "latency|graph", 3, LatencyGraph, "2.8.13",
                 "A picture of one event's samples.", "O(1)", arguments::kLatencyEvent),
             kAllNodesDiffer),
    Row(kHelpFamily, "latency|help", 2, LatencyHelp, "2.8.13", "The subcommands in brief."),
    WithTips(
        Row(kFamily, "latency|histogram", -2, Histogram, "7.0.0",
            "How long commands took, as a distribution.", kByResults, arguments::kLatencyHistogram),
        kAllNodesDiffer),
    WithTips(Row(kFamily, "latency|history", 3, LatencyHistory, "2.8.13", "Samples of one event.",
                 "O(1)", arguments::kLatencyEvent),
             kAllNodesDiffer),
    WithTips(Row(kFamily, "latency|latest", 2, LatencyLatest, "2.8.13", "The latest samples."),
             kAllNodesDiffer),
    WithTips(Row(kFamily, "latency|reset", -2, LatencyReset, "2.8.13", "Forgets samples.", "O(1)",
                 arguments::kLatencyEvents),
             kAllNodesMustSucceed),
};

constexpr std::array kRows = {Container(kContainerFamily, "latency", "2.8.13",
                                        "Container of the latency commands.", kSubcommands)};

}  // namespace

std::span<const ServerCommand> LatencyCommands() { return kRows; }

}  // namespace tidemark::server
