// DEBUG: what redis-cli, benchmarks and client test suites use of it.

#include <array>
#include <chrono>
#include <thread>

#include "cache/commands/numbers.h"
#include "server/client.h"
#include "server/help.h"
#include "server/node.h"
#include "server/server_command.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void DebugSleep(Client& client, Args args) {
  const std::optional<long double> seconds = ParseLongDouble(args[2]);
  if (!seconds || *seconds < 0) return client.reply().Error("ERR value is not a valid float");
  // As in Redis the whole shard sleeps: that is what those who ask for it want to see.
  std::this_thread::sleep_for(std::chrono::duration<double>(*seconds));
  client.reply().Ok();
}

void DebugJmap(Client& client, Args) { client.reply().Ok(); }

constexpr std::string_view kDebugHelp[] = {
    "JMAP",
    "    Accepted for test suites; does nothing.",
    "SLEEP <seconds>",
    "    Stops this connection's shard for that long.",
};
void DebugHelp(Client& client, Args) { AnswerHelp("DEBUG", kDebugHelp, client.reply()); }

constexpr RowFamily kFamily = {"@admin @slow @dangerous", "server",
                               kAdmin | kNoScript | kLoading | kStale};

constexpr std::array kSubcommands = {
    Row(kFamily, "debug|help", 2, DebugHelp, "1.0.0", "The subcommands in brief."),
    Row(kFamily, "debug|jmap", -2, DebugJmap, "1.0.0", "Accepted; does nothing."),
    Row(kFamily, "debug|sleep", 3, DebugSleep, "1.0.0", "Stops a shard for a time."),
};

constexpr std::array kRows = {
    Container(kFamily, "debug", "1.0.0", "Container of commands for tests.", kSubcommands)};

}  // namespace

std::span<const ServerCommand> DebugCommands() { return kRows; }

}  // namespace tidemark::server
