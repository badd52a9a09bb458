// ReplicaPort is the socket side of a simulated primary's PrimaryHub: it moves bytes between the
// hub's sessions and the network.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time and hub. When it is destroyed the replicas' connections end.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_REPLICA_PORT_H_
#define TIDEMARK_INTEGRATION_SIMULATION_REPLICA_PORT_H_

#include <map>

#include "integration/simulation/endpoint.h"
#include "integration/simulation/node_time.h"
#include "replication/link/primary_hub.h"

namespace tidemark::simulation {

class ReplicaPort {
 public:
  ReplicaPort(NodeTime* time, replication::PrimaryHub* hub)
      : time_(time), events_(time), hub_(hub) {}
  ~ReplicaPort();

  void Accept(ConnectionRef connection);  // The port is its end 1.
  // Something may have to be sent.
  void ServeAll();
  // The machine loses power: nobody hears of it.
  void LoseAllSilently();

 private:
  void Serve(replication::ReplicaSession* session);

  NodeTime* const time_;
  NodeEvents events_;
  replication::PrimaryHub* const hub_;
  // By the session's id, so that a seed gives one order.
  struct Open {
    replication::ReplicaSession* session;
    ConnectionRef connection;
  };
  std::map<uint64_t, Open> open_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_REPLICA_PORT_H_
