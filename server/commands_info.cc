// COMMAND, INFO, TIME, LOLWUT, SHUTDOWN: what a node is, and its end.

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "cache/commands/command_docs.h"
#include "cache/commands/errors.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/durability.h"
#include "server/info.h"
#include "server/node.h"
#include "server/server_command.h"
#include "server/snapshot_service.h"
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

struct ShutdownOptions {
  bool save = false;
  bool nosave = false;
  bool force = false;
  bool abort = false;
};

// None, with the error answered, if they do not fit together. NOW says not to wait for replicas
// that are behind; the drain is short, so it changes nothing here.
std::optional<ShutdownOptions> ParseShutdown(Args args, ReplyBuilder& reply) {
  ShutdownOptions options;
  bool now = false;
  for (std::string_view word : args.subspan(1)) {
    bool* const option = EqualsIgnoreCase(word, "SAVE")     ? &options.save
                         : EqualsIgnoreCase(word, "NOSAVE") ? &options.nosave
                         : EqualsIgnoreCase(word, "FORCE")  ? &options.force
                         : EqualsIgnoreCase(word, "ABORT")  ? &options.abort
                         : EqualsIgnoreCase(word, "NOW")    ? &now
                                                            : nullptr;
    if (option == nullptr) {
      reply.Error(kSyntaxError);
      return std::nullopt;
    }
    *option = true;
  }
  if ((options.save && options.nosave) || (options.abort && args.size() > 2)) {
    reply.Error(kSyntaxError);
    return std::nullopt;
  }
  return options;
}

constexpr std::string_view kShutdownFailed = "ERR Errors trying to SHUTDOWN. Check logs.";

// Stops once a snapshot is complete; if there is none, goes on serving, unless forced.
void SaveAndStop(Client& client, const std::string& reason, bool force) {
  Node& node = client.node();
  if (!node.BeginShutdown()) return client.reply().Error(kShutdownFailed);
  const std::function<void(Client::Answer)> complete =
      client.Block(Client::OnRoleChange::kKeepWaiting);
  const auto end = [&node, home = client.shard().id(), complete](bool stops) {
    node.engine().Post(home, [complete, stops](Shard&) {
      complete([stops](ReplyBuilder& reply) {
        if (!stops) reply.Error(kShutdownFailed);  // Otherwise the connection just closes.
      });
    });
  };
  const auto done = [&node, reason, force, end](const absl::Status& saved) {
    // Not if it was aborted meanwhile.
    const bool stops = node.AbortShutdown() && (saved.ok() || force);
    end(stops);
    if (stops) node.RequestStop(reason);
  };
  // A change of the role takes the service away for a moment.
  SnapshotService* const snapshots = node.snapshots();
  if (snapshots == nullptr) return done(absl::UnavailableError("the role is changing"));
  if (snapshots->Begin(done) != SnapshotService::Answer::kRunning) return;
  // One is under way that does not hold everything; the stop itself takes another.
  done(absl::OkStatus());
}

void Shutdown(Client& client, Args args) {
  const std::optional<ShutdownOptions> options = ParseShutdown(args, client.reply());
  if (!options) return;
  Node& node = client.node();
  if (options->abort) {
    if (!node.AbortShutdown()) return client.reply().Error("ERR No shutdown in progress.");
    return client.reply().Ok();
  }
  const std::string reason = "SHUTDOWN from " + std::string(client.connection().address());
  if (options->nosave) return node.RequestStopWithoutSaving(reason);
  if (options->save && node.snapshots() == nullptr) {
    return client.reply().Error("ERR SHUTDOWN SAVE needs a place to save to: this node has none");
  }
  const NodeDurability* durability = node.durability();
  if (durability != nullptr && !durability->writing() && !options->force) {
    return client.reply().Error(kShutdownFailed);
  }
  if (options->save) return SaveAndStop(client, reason, options->force);
  node.RequestStop(reason);
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
