#include "server/fork.h"

#include <utility>

namespace tidemark::server {
namespace {

// Older ones are forgotten: whoever is still of them takes a snapshot.
constexpr size_t kMaxAncestors = 16;

std::vector<LostSpan> LostOf(const Watermarks& emitted, const Watermarks& applied) {
  std::vector<LostSpan> lost;
  if (emitted.size() != applied.size()) return lost;  // Nothing was heard of what was emitted.
  for (size_t i = 0; i < applied.size(); ++i) {
    if (emitted[i] <= applied[i]) continue;
    lost.push_back({ShardId(static_cast<uint16_t>(i)), Next(applied[i]), emitted[i]});
  }
  return lost;
}

}  // namespace

void CountHeld(HistoryId history, const wal::Positions& held,
               replication::ReplicaClient::Ending* ending) {
  replication::ReplicaPosition& position = ending->position;
  if (position.history != history || position.shards.size() != held.size()) return;
  for (size_t i = 0; i < held.size(); ++i) {
    if (position.shards[i].sequence >= held[i].sequence) continue;
    position.shards[i] = {.sequence = held[i].sequence, .stream_digest = held[i].digest};
    // It ends at the frame's beginning; the log has the rest.
    if (i < ending->tail.size()) ending->tail[i] = {};
  }
}

Succession Succeed(replication::ReplicaClient::Ending ending, int own_shards, HistoryId fresh,
                   const std::vector<replication::FrameLog*>& logs) {
  Succession next;
  next.fork.parent = ending.position.history;
  for (const replication::ShardPosition& shard : ending.position.shards) {
    next.fork.at.push_back(shard.sequence);
  }
  next.fork.lost = LostOf(ending.emitted, next.fork.at);
  next.beginnings.resize(static_cast<size_t>(own_shards));
  for (auto& beginning : next.beginnings) beginning.history = fresh;
  for (size_t i = 0; i < logs.size(); ++i) next.beginnings[i].log = logs[i];

  const bool goes_on = ending.position.history != HistoryId() &&
                       ending.position.shards.size() == static_cast<size_t>(own_shards);
  if (!goes_on) return next;
  next.ancestors = std::move(ending.ancestors);
  // An ancestor of another number of shards is none of these sequences.
  std::erase_if(next.ancestors, [&](const replication::Ancestor& ancestor) {
    return ancestor.fork.size() != static_cast<size_t>(own_shards);
  });
  next.ancestors.push_back({ending.position.history, next.fork.at});
  if (next.ancestors.size() > kMaxAncestors) {
    next.ancestors.erase(next.ancestors.begin(),
                         next.ancestors.end() - static_cast<ptrdiff_t>(kMaxAncestors));
  }
  for (size_t i = 0; i < next.beginnings.size(); ++i) {
    replication::ShardPublisher::Beginning& beginning = next.beginnings[i];
    const replication::ShardPosition& at = ending.position.shards[i];
    beginning.end = {at.sequence, at.stream_digest};
    for (const replication::Ancestor& ancestor : next.ancestors) {
      beginning.ancestors.push_back({ancestor.history, ancestor.fork[i]});
    }
    beginning.has_readers = true;
    if (i < ending.tail.size()) beginning.tail = std::move(ending.tail[i]);
  }
  return next;
}

}  // namespace tidemark::server
