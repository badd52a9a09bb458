// ConsumerNode is a simulated consumer of the change feed: the production ExportConsumer, a copy of
// the data that it keeps by what it is sent, and a store of its own with the copy and the cursor,
// written together, to which it falls back after a crash.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time and ledger.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_CONSUMER_NODE_H_
#define TIDEMARK_INTEGRATION_SIMULATION_CONSUMER_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "integration/simulation/contents.h"
#include "integration/simulation/endpoint.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/node_time.h"
#include "wal/export/export_consumer.h"

namespace tidemark::simulation {

class ConsumerNode {
 public:
  // A connection to the primary's feed, of which the consumer is end 0, or null; and whose it is.
  struct Dialled {
    ConnectionRef connection;
    std::string node;
  };
  using Dial = std::function<Dialled()>;

  ConsumerNode(NodeTime* time, Ledger* ledger, std::string token, Dial dial);

  // Back to what it had stored; or to nothing, and then it asks for a snapshot.
  void Crash(bool loses_store);
  void Stop(int64_t for_us);
  // A replica has been promoted: it need not have all that was exported by the old primary.
  void OnPromotion() { may_be_foreign_ = true; }

  const ConnectionRef& connection() const { return connection_; }  // Null: none.
  // What it holds, and of which position. Without a history: it has nothing whole.
  const wal::ExportPosition& cursor() const { return live_.cursor; }
  const Contents& contents() const { return live_.contents; }

  // How the last stream that ended did, for people.
  const std::string& last_end() const { return last_end_; }

  struct Counts {
    uint64_t connections = 0;
    uint64_t records = 0;
    uint64_t snapshots = 0;
    uint64_t history_changes = 0;
    uint64_t positions_lost = 0;
    uint64_t foreign = 0;  // Its position was none of the new primary's.
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Copy {
    wal::ExportPosition cursor;
    Contents contents;
    bool of_snapshot = false;  // That is what it began with.
  };

  void Connect();
  void Disconnect();
  void OnBytes(std::string_view bytes);
  bool Take(const wal::ExportEvent& event);
  void TakeChanges(const wal::Changes& changes);
  void Store();
  void Tick();
  void Write();
  wal::ExportStart StartOfStream() const;

  NodeTime* const time_;
  std::optional<NodeEvents> events_;  // Of its present life.
  Ledger* const ledger_;
  const std::string token_;
  const Dial dial_;
  Copy stored_;
  Copy live_;
  bool needs_snapshot_ = false;
  bool may_be_foreign_ = false;
  std::unique_ptr<wal::ExportConsumer> consumer_;
  ConnectionRef connection_;
  std::string node_;  // Whose feed it is.
  int64_t heard_us_ = 0;
  Counts counts_;
  std::string last_end_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_CONSUMER_NODE_H_
