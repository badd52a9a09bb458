// What a primary and a replica that serves replicas have in common: the settings of the server of
// replicas, and how those who follow are shown.

#ifndef TIDEMARK_SERVER_REPLICA_SERVING_H_
#define TIDEMARK_SERVER_REPLICA_SERVING_H_

#include <vector>

#include "base/link/link_tokens.h"
#include "base/settings/settings.h"
#include "replication/shard_publisher.h"
#include "replication/shell/replication_server.h"
#include "server/node_replication.h"
#include "server/node_report.h"

namespace tidemark::server {

LinkTokens ReplicationTokensFrom(const Settings& settings);

// The stream is yet to be said.
replication::ReplicationServer::Options ReplicationServerOptionsFrom(const Settings& settings,
                                                                     const NodeIdentity& identity);

// Adds what `status` says, who follows and what was sent, to `view`.
void ShowReplicas(const replication::ReplicationServer::Status& status, ReplicationView& view);

// Adds what the shards' publishers have counted.
void ShowPublished(const std::vector<const replication::ShardPublisher*>& publishers,
                   ReplicationView& view);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_REPLICA_SERVING_H_
