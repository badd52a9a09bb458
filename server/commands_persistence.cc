// SAVE, BGSAVE, LASTSAVE and BGREWRITEAOF: snapshots, in Redis' words. Rewriting the log is taking
// a snapshot of everything so far, after which the log's older segments go.

#include <array>
#include <functional>
#include <string>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "server/argument_docs.h"
#include "server/client.h"
#include "server/node.h"
#include "server/server_command.h"
#include "server/snapshot_service.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

constexpr std::string_view kInProgress = "ERR Background save already in progress";

// Null, with the error answered, on a node that keeps nothing on disk.
SnapshotService* SnapshotsOr(Client& client) {
  SnapshotService* const snapshots = client.node().snapshots();
  if (snapshots == nullptr) {
    client.reply().Error("ERR This node keeps nothing on disk: start it with --data_dir");
  }
  return snapshots;
}

void BgSave(Client& client, Args args) {
  if (args.size() > 2 || (args.size() == 2 && !EqualsIgnoreCase(args[1], "SCHEDULE"))) {
    return client.reply().Error(kSyntaxError);
  }
  SnapshotService* const snapshots = SnapshotsOr(client);
  if (snapshots == nullptr) return;
  switch (args.size() == 2 ? snapshots->BeginGently() : snapshots->Begin(nullptr)) {
    case SnapshotService::Answer::kStarted:
      return client.reply().Status("Background saving started");
    case SnapshotService::Answer::kScheduled:
      return client.reply().Status("Background saving scheduled");
    case SnapshotService::Answer::kRunning:
      return client.reply().Error(kInProgress);
  }
}

void BgRewriteAof(Client& client, Args) {
  SnapshotService* const snapshots = SnapshotsOr(client);
  if (snapshots == nullptr) return;
  switch (snapshots->BeginAnother()) {
    case SnapshotService::Answer::kStarted:
      return client.reply().Status("Background append only file rewriting started");
    case SnapshotService::Answer::kScheduled:
      return client.reply().Status("Background append only file rewriting scheduled");
    case SnapshotService::Answer::kRunning:
      return client.reply().Error("ERR Background append only file rewriting already in progress");
  }
}

void Save(Client& client, Args) {
  SnapshotService* const snapshots = SnapshotsOr(client);
  if (snapshots == nullptr) return;
  if (snapshots->status().running) return client.reply().Error(kInProgress);
  // The answer comes on the service's thread; the client's own thread gives it. Only this client
  // waits.
  const std::function<void(Client::Answer)> complete =
      client.Block(Client::OnRoleChange::kKeepWaiting);
  const auto answer = [&node = client.node(), home = client.shard().id(),
                       complete](std::string_view error) {
    node.engine().Post(home, [complete, error = std::string(error)](Shard&) {
      complete([&](ReplyBuilder& reply) { error.empty() ? reply.Ok() : reply.Error(error); });
    });
  };
  const SnapshotService::Answer begun = snapshots->Begin(
      // Like Redis, which says no more here and the cause in its log.
      [answer](const absl::Status& status) { answer(status.ok() ? "" : "ERR"); });
  if (begun == SnapshotService::Answer::kRunning) answer(kInProgress);
}

void LastSave(Client& client, Args) {
  SnapshotService* const snapshots = SnapshotsOr(client);
  if (snapshots == nullptr) return;
  client.reply().Integer(snapshots->status().last_success_unix_s);
}

constexpr RowFamily kFamily = {"@admin @slow @dangerous", "server",
                               kAdmin | kNoScript | kNoAsyncLoading};
constexpr RowFamily kSaveFamily = {"@admin @slow @dangerous", "server",
                                   kAdmin | kNoScript | kNoAsyncLoading | kNoMulti};
constexpr RowFamily kLastSaveFamily = {"@admin @fast @dangerous", "server",
                                       kFast | kLoading | kStale};

constexpr std::array kRows = {
    Row(kFamily, "bgrewriteaof", 1, BgRewriteAof, "1.0.0",
        "Shortens the log by a snapshot in the background."),
    Row(kFamily, "bgsave", -1, BgSave, "1.0.0", "Takes a snapshot in the background.", "O(1)",
        arguments::kBgSave),
    WithTips(Row(kLastSaveFamily, "lastsave", 1, LastSave, "1.0.0",
                 "The unix time of the last complete snapshot."),
             kChanges),
    Row(kSaveFamily, "save", 1, Save, "1.0.0",
        "Takes a snapshot; only this connection waits for it.", "O(N) in all keys"),
};

}  // namespace

std::span<const ServerCommand> PersistenceCommands() { return kRows; }

}  // namespace tidemark::server
