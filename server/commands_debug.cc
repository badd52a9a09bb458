// DEBUG: what redis-cli, benchmarks and client test suites use of it.

#include <array>
#include <chrono>
#include <thread>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/help.h"
#include "server/node.h"
#include "server/server_command.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

constexpr long double kLongestSleepSeconds = 24 * 60 * 60;

void Sleep(Client& client, std::string_view text) {
  const std::optional<long double> seconds = ParseLongDouble(text);
  if (!seconds || *seconds < 0 || *seconds > kLongestSleepSeconds) {
    return client.reply().Error(kNotAFloat);
  }
  // As in Redis the whole shard sleeps: that is what those who ask for it want to see.
  std::this_thread::sleep_for(std::chrono::duration<double>(*seconds));
  client.reply().Ok();
}

constexpr std::string_view kHelp[] = {
    "SLEEP <seconds>",
    "    Stops this connection's shard for that long.",
};

// Not a container: to Redis its subcommands are arguments, which the errors and COMMAND show.
void Debug(Client& client, Args args) {
  if (args.size() == 2 && EqualsIgnoreCase(args[1], "HELP")) {
    return AnswerHelp("DEBUG", kHelp, client.reply());
  }
  if (args.size() == 3 && EqualsIgnoreCase(args[1], "SLEEP")) return Sleep(client, args[2]);
  UnknownSubcommandOrArity(args, client.reply());
}

constexpr RowFamily kFamily = {"@admin @slow @dangerous", "server",
                               kAdmin | kNoScript | kLoading | kStale};

constexpr std::array kRows = {Row(kFamily, "debug", -2, Debug, "1.0.0",
                                  "Does what only tests want.", "O(1)", arguments::kDebug)};

}  // namespace

std::span<const ServerCommand> DebugCommands() { return kRows; }

}  // namespace tidemark::server
