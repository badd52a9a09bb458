// ExportPort is a simulated primary's change feed: the production hub, sessions and source, which
// reads the log on the simulated disk, over the simulated network.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows what it is given. When it is destroyed the consumers' connections end.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_EXPORT_PORT_H_
#define TIDEMARK_INTEGRATION_SIMULATION_EXPORT_PORT_H_

#include <map>

#include "integration/simulation/endpoint.h"
#include "integration/simulation/node_time.h"
#include "wal/data_directory.h"
#include "wal/export/export_hub.h"
#include "wal/export/log_export_source.h"
#include "wal/live_log.h"
#include "wal/retention.h"

namespace tidemark::simulation {

class ExportPort {
 public:
  struct Options {
    wal::ExportHub::Options hub;
    uint64_t retain_bytes = 64 << 10;
  };
  ExportPort(NodeTime* time, const Options& options, const wal::DataDirectory& directory,
             const wal::LiveLog& log, wal::Retention& retention);
  ~ExportPort();

  void Accept(ConnectionRef connection);  // The port is its end 1.
  // Durable has moved, or time has passed.
  void ServeAll();
  void Tick();
  void LoseAllSilently();

 private:
  void LoadConsumers();
  void SaveConsumers();
  void Serve(uint64_t id);

  NodeTime* const time_;
  NodeEvents events_;
  const wal::DataDirectory& directory_;
  wal::LogExportSource source_;
  wal::ExportHub hub_;
  struct Open {
    wal::ExportSession* session;
    ConnectionRef connection;
  };
  std::map<uint64_t, Open> open_;
  uint64_t next_id_ = 1;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_EXPORT_PORT_H_
