#include "replication/shell/relay_feeder.h"

#include <memory>
#include <utility>

namespace tidemark::replication {

RelayFeeder::RelayFeeder(const Links& links, std::vector<StreamTail> tail)
    : links_(links), gate_(static_cast<int>(links.shard_relays.size())), tail_(std::move(tail)) {}

void RelayFeeder::Serve() {
  const ReplicaLink& link = *links_.link;
  while (true) {
    const RelayGate::Seen seen = {
        .plans = link.counters().connections,
        .plan = &link.plan(),
        .streaming = link.state() == ReplicaLink::State::kStreaming,
        .exact = links_.applier->exact(),
    };
    switch (gate_.Ask(seen)) {
      case RelayGate::Next::kNothing: {
        const int64_t as_of_ms = link.emitted_as_of_ms();
        if (as_of_ms != 0 && std::exchange(upstream_told_ms_, as_of_ms) != as_of_ms) {
          links_.relay->OnUpstream(link.emitted(), as_of_ms);
        }
        return;
      }
      case RelayGate::Next::kClose:
        links_.relay->Close(gate_.why());
        upstream_told_ms_ = 0;
        break;
      case RelayGate::Next::kHold:
        links_.relay->Hold(gate_.why());
        break;
      case RelayGate::Next::kBegin:
        BeginStream();
        break;
      case RelayGate::Next::kAdmit:
        links_.relay->Open({.history = link.plan().history,
                            .ancestors = link.plan().ancestors,
                            .path = link.plan().path});
        break;
    }
  }
}

void RelayFeeder::BeginStream() {
  // Filled in before the cut; then each shard takes its own.
  const auto beginnings = std::make_shared<std::vector<ShardPublisher::Beginning>>();
  links_.steps->Observe({
      .before = [this, beginnings] { *beginnings = Beginnings(); },
      .each =
          [this, beginnings](ShardId shard) {
            // A plan of another number of shards may have come meanwhile.
            if (beginnings->size() != links_.shard_relays.size()) return;
            const size_t i = shard.value();
            links_.shard_relays[i]->Begin(std::move((*beginnings)[i]));
          },
      .done = [this](const ReplicaPosition&) { gate_.OnBegun(); },
  });
}

std::vector<ShardPublisher::Beginning> RelayFeeder::Beginnings() {
  const ReplicaPosition position = links_.applier->position();
  const std::vector<StreamTail> tail = std::exchange(tail_, {});
  std::vector<ShardPublisher::Beginning> beginnings(position.shards.size());
  for (size_t i = 0; i < position.shards.size(); ++i) {
    ShardPublisher::Beginning& beginning = beginnings[i];
    beginning.history = position.history;
    beginning.end = {.last = position.shards[i].sequence,
                     .digest = position.shards[i].stream_digest};
    for (const Ancestor& ancestor : links_.applier->ancestors()) {
      // Of a primary that had another number of shards: its sequences say nothing here.
      if (ancestor.fork.size() != position.shards.size()) continue;
      beginning.ancestors.push_back({.history = ancestor.history, .fork = ancestor.fork[i]});
    }
    if (i < tail.size() && EndsAt(tail[i], position.shards[i])) beginning.tail = tail[i];
  }
  return beginnings;
}

}  // namespace tidemark::replication
