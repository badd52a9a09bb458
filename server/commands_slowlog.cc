// SLOWLOG: the commands that took long, over all shards.

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <vector>

#include "cache/commands/numbers.h"
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

void AnswerEntry(const SlowLog::Entry& entry, ReplyBuilder& reply) {
  reply.ArrayHeader(6);
  reply.Integer(static_cast<int64_t>(entry.id));
  reply.Integer(entry.unix_seconds);
  reply.Integer(entry.duration_us);
  reply.ArrayHeader(entry.args.size());
  for (const std::string& arg : entry.args) reply.Bulk(arg);
  reply.Bulk(entry.client_address);
  reply.Bulk(entry.client_name);
}

void SlowLogGet(Client& client, Args args) {
  if (args.size() > 3) return UnknownSubcommandOrArity(args, client.reply());
  size_t limit = 10;
  if (args.size() == 3) {
    const std::optional<int64_t> count = ParseInteger(args[2]);
    if (!count || *count < -1) {
      return client.reply().Error("ERR count should be greater than or equal to -1");
    }
    limit = *count == -1 ? SIZE_MAX : static_cast<size_t>(*count);
  }
  GatherThenReply<std::vector<SlowLog::Entry>>(
      client,
      [limit](ShardNode& shard) {
        const auto& entries = shard.slow_log().entries();
        return std::vector(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(
                                                                  std::min(limit, entries.size())));
      },
      [limit](std::vector<std::vector<SlowLog::Entry>>& parts, ReplyBuilder& reply) {
        std::vector<SlowLog::Entry> all;
        for (auto& part : parts) {
          all.insert(all.end(), std::make_move_iterator(part.begin()),
                     std::make_move_iterator(part.end()));
        }
        std::stable_sort(all.begin(), all.end(),
                         [](const SlowLog::Entry& a, const SlowLog::Entry& b) {
                           return a.unix_seconds > b.unix_seconds;
                         });
        if (all.size() > limit) all.resize(limit);
        reply.ArrayHeader(all.size());
        for (const SlowLog::Entry& entry : all) AnswerEntry(entry, reply);
      });
}

void SlowLogLen(Client& client, Args) {
  GatherThenReply<int64_t>(
      client,
      [](ShardNode& shard) { return static_cast<int64_t>(shard.slow_log().entries().size()); },
      [](std::vector<int64_t>& parts, ReplyBuilder& reply) {
        reply.Integer(std::accumulate(parts.begin(), parts.end(), int64_t{0}));
      });
}

void SlowLogReset(Client& client, Args) {
  GatherThenReply<int64_t>(
      client,
      [](ShardNode& shard) {
        shard.slow_log().Clear();
        return int64_t{0};
      },
      [](std::vector<int64_t>&, ReplyBuilder& reply) { reply.Ok(); });
}

constexpr std::string_view kSlowLogHelp[] = {
    "GET [<count>]",
    "    The newest entries (10, or -1 for all): id, time, microseconds, arguments,",
    "    client address, client name.",
    "LEN",
    "    How many entries there are.",
    "RESET",
    "    Empties the log.",
};
void SlowLogHelp(Client& client, Args) { AnswerHelp("SLOWLOG", kSlowLogHelp, client.reply()); }

constexpr RowFamily kFamily = {"@admin @slow @dangerous", "server", kAdmin | kLoading | kStale};
constexpr RowFamily kHelpFamily = {"@slow", "server", kLoading | kStale};
constexpr RowFamily kContainerFamily = {"@slow", "server"};

constexpr std::array kSubcommands = {
    WithTips(Row(kFamily, "slowlog|get", -2, SlowLogGet, "2.2.12", "The newest slow commands.",
                 kByResults, arguments::kSlowLogGet),
             "request_policy:all_nodes nondeterministic_output"),
    Row(kHelpFamily, "slowlog|help", 2, SlowLogHelp, "6.2.0", "The subcommands in brief."),
    WithTips(
        Row(kFamily, "slowlog|len", 2, SlowLogLen, "2.2.12", "How many slow commands are kept."),
        "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"),
    WithTips(Row(kFamily, "slowlog|reset", 2, SlowLogReset, "2.2.12", "Forgets the slow commands."),
             kAllNodesMustSucceed),
};

constexpr std::array kRows = {Container(kContainerFamily, "slowlog", "2.2.12",
                                        "Container of the slow log's commands.", kSubcommands)};

}  // namespace

std::span<const ServerCommand> SlowLogCommands() { return kRows; }

}  // namespace tidemark::server
