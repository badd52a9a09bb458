#include "replication/link/catch_up.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tidemark::replication {
namespace {

// How often to look whether the walks under way (another replica's snapshot, a digest) have ended.
constexpr int64_t kBusyRetryMs = 20;

}  // namespace

class CatchUp::Request {
 public:
  Request(ReplicaPosition position, Callback callback)
      : position(std::move(position)), callback(std::move(callback)) {}

  const ReplicaPosition position;
  Callback callback;         // Empty once called or ended.
  SubscriberRef subscriber;  // Of the attempt under way, or of the subscription.

  bool ended() const { return callback == nullptr; }
};

struct CatchUp::Core : std::enable_shared_from_this<Core> {
  Core(const Subscriber::Options& subscriber_options, ShardAccess* shards, LinkWaker* waker)
      : options(subscriber_options), shards(shards), waker(waker) {}

  void TryBacklog(RequestRef request);
  void AwaitSnapshot(RequestRef request);
  void LookForIdleShards();
  void BeginSnapshot();
  void LetGo(SubscriberRef subscriber);
  StreamPlan EmptyPlan() const {
    StreamPlan plan;
    plan.history = shards->history();
    plan.shards.resize(static_cast<size_t>(shards->shard_count()));
    return plan;
  }

  const Subscriber::Options options;
  ShardAccess* const shards;
  LinkWaker* const waker;
  std::vector<RequestRef> waiting;  // For a snapshot.
  bool attempt_under_way = false;   // To begin one.
  int64_t now_ms = 0;
  int64_t retry_at_ms = std::numeric_limits<int64_t>::max();
};

// Each shard's thread writes its own element of a result and nobody reads before all are done, so
// results need no lock: they are shared by the two closures and die with the later one.

void CatchUp::Core::TryBacklog(RequestRef request) {
  const auto subscriber = std::make_shared<Subscriber>(options, waker);
  request->subscriber = subscriber;
  const auto plan = std::make_shared<StreamPlan>(EmptyPlan());
  plan->continues = request->position.history;
  shards->OnEachShard(
      [request, subscriber, plan](PublishingShard& shard) {
        const size_t index = shard.publisher.shard().value();
        const ShardPosition& at = request->position.shards[index];
        const Join join =
            shard.publisher.Subscribe(subscriber, {.history = request->position.history,
                                                   .applied = at.sequence,
                                                   .digest = at.stream_digest});
        ShardPlan& decided = plan->shards[index];
        decided.at = at;
        switch (join.kind) {
          case Join::Kind::kUpToDate:
            decided.source = CatchUpSource::kCurrent;
            break;
          case Join::Kind::kBacklog:
            decided.source = CatchUpSource::kBacklog;
            break;
          case Join::Kind::kSnapshot:
            decided.source = CatchUpSource::kSnapshot;
            break;
        }
      },
      [self = shared_from_this(), request, subscriber, plan] {
        if (request->ended()) return;
        const bool needs_snapshot = std::any_of(
            plan->shards.begin(), plan->shards.end(),
            [](const ShardPlan& shard) { return shard.source == CatchUpSource::kSnapshot; });
        if (!needs_snapshot) return std::exchange(request->callback, nullptr)(subscriber, *plan);
        self->LetGo(subscriber);
        self->AwaitSnapshot(request);
      });
}

void CatchUp::Core::AwaitSnapshot(RequestRef request) {
  request->subscriber = nullptr;
  waiting.push_back(std::move(request));
  if (!attempt_under_way) retry_at_ms = now_ms;
}

void CatchUp::Core::LookForIdleShards() {
  attempt_under_way = true;
  retry_at_ms = std::numeric_limits<int64_t>::max();
  const auto busy = std::make_shared<std::vector<uint8_t>>(EmptyPlan().shards.size());
  shards->OnEachShard(
      [busy](PublishingShard& shard) {
        (*busy)[shard.publisher.shard().value()] =
            shard.keyspace.walking() || shard.snapshots.walking() || shard.snapshots.waiting() > 0;
      },
      [self = shared_from_this(), busy] {
        if (std::any_of(busy->begin(), busy->end(), [](uint8_t b) { return b != 0; })) {
          self->attempt_under_way = false;
          self->retry_at_ms = self->now_ms + kBusyRetryMs;
          return;
        }
        self->BeginSnapshot();
      });
}

void CatchUp::Core::BeginSnapshot() {
  const auto requests = std::make_shared<std::vector<RequestRef>>(std::exchange(waiting, {}));
  const auto subscribers = std::make_shared<std::vector<SubscriberRef>>();
  for (const RequestRef& request : *requests) {
    request->subscriber = std::make_shared<Subscriber>(options, waker);
    subscribers->push_back(request->subscriber);
  }
  const auto plan = std::make_shared<StreamPlan>(EmptyPlan());
  shards->AtCut(
      [subscribers, plan](PublishingShard& shard) {
        ShardPlan& decided = plan->shards[shard.publisher.shard().value()];
        shard.publisher.SealNow();
        decided.entries = shard.keyspace.size();
        decided.at = {shard.publisher.emitted(), shard.publisher.digest()};
        for (const SubscriberRef& subscriber : *subscribers) {
          shard.publisher.Subscribe(subscriber, {});
        }
        shard.snapshots.DoSlice();
        // A walk of someone else came in between: this shard's snapshot would begin elsewhere.
        const bool began = shard.snapshots.waiting() == 0;
        decided.source = began ? CatchUpSource::kSnapshot : CatchUpSource::kCurrent;
      },
      [self = shared_from_this(), requests, subscribers, plan] {
        self->attempt_under_way = false;
        const bool began = std::all_of(
            plan->shards.begin(), plan->shards.end(),
            [](const ShardPlan& shard) { return shard.source == CatchUpSource::kSnapshot; });
        if (!self->waiting.empty()) self->retry_at_ms = self->now_ms + kBusyRetryMs;
        for (size_t i = 0; i < requests->size(); ++i) {
          const RequestRef& request = (*requests)[i];
          if (request->ended()) continue;
          if (began) {
            std::exchange(request->callback, nullptr)((*subscribers)[i], *plan);
          } else {
            self->LetGo((*subscribers)[i]);
            self->waiting.push_back(request);
            self->retry_at_ms = self->now_ms + kBusyRetryMs;
          }
        }
      });
}

void CatchUp::Core::LetGo(SubscriberRef subscriber) {
  subscriber->Cut(CutCause::kClosed);
  subscriber->DropAll();
  shards->OnEachShard(
      [subscriber](PublishingShard& shard) { shard.publisher.Unsubscribe(subscriber.get()); },
      // A shard may have been pushing while the queues were emptied.
      [subscriber] { subscriber->DropAll(); });
}

CatchUp::CatchUp(const Subscriber::Options& subscriber_options, ShardAccess* shards,
                 LinkWaker* waker)
    : core_(std::make_shared<Core>(subscriber_options, shards, waker)) {}

CatchUp::~CatchUp() = default;

CatchUp::RequestRef CatchUp::Begin(const ReplicaPosition& position, Callback callback) {
  auto request = std::make_shared<Request>(position, std::move(callback));
  const bool comparable =
      core_->shards->Knows(position.history) &&
      position.shards.size() == static_cast<size_t>(core_->shards->shard_count());
  if (comparable) {
    core_->TryBacklog(request);
  } else {
    core_->AwaitSnapshot(request);
  }
  return request;
}

void CatchUp::End(const RequestRef& request) {
  request->callback = nullptr;
  std::erase(core_->waiting, request);
  if (request->subscriber != nullptr) {
    core_->LetGo(std::exchange(request->subscriber, nullptr));
  }
}

void CatchUp::Tick(int64_t now_ms) {
  core_->now_ms = now_ms;
  if (now_ms < core_->retry_at_ms) return;
  core_->retry_at_ms = std::numeric_limits<int64_t>::max();
  if (!core_->attempt_under_way && !core_->waiting.empty()) core_->LookForIdleShards();
}

int64_t CatchUp::NextDeadlineMs() const { return core_->retry_at_ms; }

}  // namespace tidemark::replication
