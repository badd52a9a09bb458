// Client's part in docs/freshness.md: reads that wait for a token or are refused as too stale, and
// writes whose replies carry their token.

#include <string>
#include <utility>

#include "server/client.h"
#include "server/node.h"
#include "server/shard_node.h"

namespace tidemark::server {

ReadDemands& Client::demands() {
  if (demands_ == nullptr) demands_ = std::make_unique<ReadDemands>();
  return *demands_;
}

std::string Client::WriteToken() {
  return EncodeToken(
      {.history = node().replication().Served().history, .sequences = session_.written()});
}

bool Client::IsDataRead(const cache::CommandSpec& spec) {
  return (spec.flags & cache::kReadOnly) != 0 && node().table().HandlerOf(spec) == nullptr;
}

bool Client::AwaitsToken() {
  ReadDemands& demands = *demands_;
  if (!demands.token) return false;
  if (demands.waiting) return true;
  // Before the look: a position that is newer than its generation is looked at again.
  const uint64_t generation = node().served_board().generation();
  if (demands.covered_generation == generation && node().is_replica()) return false;
  const replication::ServedPosition position = node().replication().Served();
  if (CoverageOf(*demands.token, position) == Coverage::kCovered) {
    demands.covered_generation = generation;
    demands.failure.clear();
    return false;
  }
  if (!demands.failure.empty() && shard_.monotonic_ms() < demands.fails_until_ms) return false;
  demands.failure.clear();
  demands.waiting = true;
  const int64_t deadline_ms = shard_.monotonic_ms() + shard_.track_wait_ms();
  shard_.AwaitToken({.client = id(),
                     .token = *demands.token,
                     .deadline_ms = deadline_ms,
                     .done = [&shard = shard_, id = id()](Coverage coverage,
                                                          const replication::ServedPosition& at) {
                       Client* client = shard.FindClient(id);
                       if (client == nullptr || client->demands_ == nullptr) return;
                       ReadDemands& waited = *client->demands_;
                       waited.waiting = false;
                       if (coverage != Coverage::kCovered && waited.token) {
                         waited.failure = NotCoveredError(*waited.token, at);
                         waited.fails_until_ms = shard.monotonic_ms() + shard.track_wait_ms();
                       }
                       client->Resume();
                     }});
  return true;
}

std::string Client::StaleError(const cache::CommandSpec& spec) {
  if ((demands_ == nullptr && !shard_.staleness_bounds().any()) || !IsDataRead(spec)) return "";
  if (demands_ != nullptr && demands_->token && !demands_->failure.empty()) {
    return demands_->failure;
  }
  if (!node().is_replica()) return "";
  const StalenessBounds bounds = demands_ == nullptr
                                     ? shard_.staleness_bounds()
                                     : Stricter(shard_.staleness_bounds(), demands_->bounds);
  const replication::ServedBoard& served = node().served_board();
  return StalenessError(bounds, served.StaleMs(shard_.monotonic_ms()), served.lag_records());
}

void Client::DispatchTracked(const cache::CommandSpec& spec, cache::Args args, uint64_t key_hash) {
  if (protocol_ != 3 || resp_.muted()) return session_.Dispatch(spec, args, key_hash);
  resp_.RecordOn(&demands_->tracked_reply.emplace());
  session_.Dispatch(spec, args, key_hash);
  if (session_.pending() == 0) FinishTracked();
}

void Client::FinishTracked() {
  resp_.RecordOn(nullptr);
  const cache::ReplyTape reply = *std::exchange(demands_->tracked_reply, std::nullopt);
  connection_.writer().AttributeHeader(1);
  connection_.writer().Bulk("token");
  connection_.writer().Bulk(WriteToken());
  ErrorCounts counted_already;
  RespReply out(connection_.writer(), counted_already);
  for (cache::ReplyTape::Reader reader(reply); !reader.done();) reader.PlayReply(out);
}

}  // namespace tidemark::server
