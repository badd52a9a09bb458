// COMMAND, INFO, TIME, LOLWUT, SHUTDOWN: what a node is, and its end.

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "base/text.h"
#include "cache/commands/command_docs.h"
#include "cache/commands/errors.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/info.h"
#include "server/node.h"
#include "server/server_command.h"
#include "server/version.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void Command(Client& client, Args args) {
  AnswerCommand(client.node().commands(), args, client.reply());
}

void Info(Client& client, Args args) {
  std::vector<std::string> wanted(args.begin() + 1, args.end());
  client.node().AnswerReport(client, [wanted](const NodeReport& report, ReplyBuilder& reply) {
    const std::vector<std::string_view> views(wanted.begin(), wanted.end());
    reply.Verbatim("txt", InfoText(report, views));
  });
}

int64_t UnixMicros() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::microseconds>(
             system_clock::now().time_since_epoch())
      .count();
}

void Time(Client& client, Args) {
  const int64_t now_us = UnixMicros();
  client.reply().ArrayHeader(2);
  client.reply().Bulk(std::to_string(now_us / 1'000'000));
  client.reply().Bulk(std::to_string(now_us % 1'000'000));
}

void Shutdown(Client& client, Args args) {
  bool abort = false, save = false, no_save = false, other = false;
  for (std::string_view option : args.subspan(1)) {
    if (EqualsIgnoreCase(option, "ABORT")) {
      abort = true;
    } else if (EqualsIgnoreCase(option, "SAVE")) {
      save = true;
    } else if (EqualsIgnoreCase(option, "NOSAVE")) {
      no_save = true;
    } else if (EqualsIgnoreCase(option, "NOW") || EqualsIgnoreCase(option, "FORCE")) {
      other = true;
    } else {
      return client.reply().Error(kSyntaxError);
    }
  }
  if ((save && no_save) || (abort && (save || no_save || other))) {
    return client.reply().Error(kSyntaxError);
  }
  if (abort) return client.reply().Error("ERR No shutdown in progress.");
  if (save) {
    return client.reply().Error("ERR SHUTDOWN SAVE needs a place to save to: this node has none");
  }
  client.node().RequestStop("SHUTDOWN from " + std::string(client.connection().address()));
}

void Lolwut(Client& client, Args) {
  client.reply().Verbatim("txt",
                          fmt::format("  ~ ~ ~   ~~ ~ ~~~  ~  ~~\n ~~ the tide comes in ~~~ ~\n"
                                      "~ ~~~ ~  ~ ~~  ~~ ~ ~~ ~\nTidemark ver. {}\n",
                                      kVersion));
}

constexpr uint32_t kOpen = kLoading | kStale;
constexpr RowFamily kInfoFamily = {"@slow @dangerous", "server", kOpen};
constexpr RowFamily kTimeFamily = {"@fast", "server", kOpen | kFast};
constexpr RowFamily kLolwutFamily = {"@read @fast", "server", kReadOnly | kFast};
constexpr RowFamily kShutdownFamily = {"@admin @slow @dangerous", "server",
                                       kAdmin | kNoScript | kOpen | kNoMulti | kAllowBusy};

constexpr NamedHandler kCommandHandlers[] = {
    {"command", Command},
    {"command|count", Command},
    {"command|docs", Command},
    {"command|getkeys", Command},
    {"command|getkeysandflags", Command},
    {"command|help", Command},
    {"command|info", Command},
    {"command|list", Command},
};

constexpr std::array kRows = {
    WithTips(Row(kInfoFamily, "info", -1, Info, "1.0.0", "The state of the node, as text.", "O(1)",
                 arguments::kInfo),
             "nondeterministic_output request_policy:all_shards response_policy:special"),
    WithTips(Row(kTimeFamily, "time", 1, Time, "2.6.0", "Seconds since 1970, and microseconds."),
             kChanges),
    Row(kLolwutFamily, "lolwut", -1, Lolwut, "5.0.0", "A picture and the version.", "O(1)",
        arguments::kLolwut),
    Row(kShutdownFamily, "shutdown", -1, Shutdown, "1.0.0",
        "Stops the node after its clients and replicas have what is theirs.",
        "O(N) in what is still to be sent", arguments::kShutdown),
};

}  // namespace

std::span<const NamedHandler> CommandHandlers() { return kCommandHandlers; }

std::span<const ServerCommand> InfoCommands() { return kRows; }

}  // namespace tidemark::server
