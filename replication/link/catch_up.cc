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
  Request(ReplicaPosition position, LastRung last, const Subscriber::Options& queue,
          Callback callback)
      : position(std::move(position)), last(last), queue(queue), callback(std::move(callback)) {}

  const ReplicaPosition position;
  const LastRung last;
  const Subscriber::Options queue;
  Callback callback;                      // Empty once called or ended.
  bool comparable = false;                // Its history is ours, and so is its number of shards.
  SubscriberRef subscriber;               // Of the attempt under way, or of the subscription.
  std::unique_ptr<ArchiveCursor> cursor;  // While its first frames are being read.

  // Whether what the replica has of that shard can be gone on from at all.
  bool GoesOnWith(ShardId shard) const {
    return comparable && std::find(position.diverged.begin(), position.diverged.end(), shard) ==
                             position.diverged.end();
  }
  StreamPosition PositionIn(ShardId shard) const {
    const ShardPosition& at = position.shards[shard.value()];
    return {.history = position.history, .applied = at.sequence, .digest = at.stream_digest};
  }
  bool ended() const { return callback == nullptr; }
  void Answer(Feed feed) { std::exchange(callback, nullptr)(std::move(feed)); }
};

namespace {

bool Joined(Join::Kind kind) {
  return kind == Join::Kind::kUpToDate || kind == Join::Kind::kBacklog;
}

CatchUpSource SourceOf(Join::Kind kind) {
  return kind == Join::Kind::kUpToDate ? CatchUpSource::kCurrent : CatchUpSource::kBacklog;
}

// On the shard's thread.
Join::Kind ResumeOn(PublishingShard& shard, const CatchUp::Request& request,
                    const SubscriberRef& subscriber) {
  const ShardId id = shard.publisher.shard();
  if (!request.GoesOnWith(id)) return Join::Kind::kNotOurs;
  return shard.publisher.Resume(subscriber, request.PositionIn(id)).kind;
}

// What one shard did for those who wait, at the cut.
struct SnapshotStart {
  ShardPosition cut;
  uint64_t entries = 0;
  bool began = true;              // False: another's walk came in between.
  std::vector<Join::Kind> joins;  // By request; kSnapshot: it gets one.
};

}  // namespace

struct CatchUp::Core : std::enable_shared_from_this<Core> {
  Core(const Options& options, ShardAccess* shards, FrameArchive* archive, LinkWaker* waker)
      : options(options), shards(shards), archive(archive), waker(waker) {}

  void TryBacklog(RequestRef request);
  void TryArchive(const RequestRef& request, StreamPlan plan);
  void TrySnapshot(const RequestRef& request);
  void LookForIdleShards();
  void BeginSnapshot();
  StreamPlan PlanFrom(const std::vector<SnapshotStart>& starts, size_t index,
                      const Request& request) const;
  void LetGo(SubscriberRef subscriber);
  StreamPlan EmptyPlan() const {
    StreamPlan plan;
    plan.history = shards->history();
    plan.shards.resize(static_cast<size_t>(shards->shard_count()));
    return plan;
  }
  static Feed FeedOf(const StreamPlan& plan, SubscriberRef subscriber) {
    return {.plan = plan, .subscriber = std::move(subscriber), .cursor = nullptr, .first = {}};
  }

  const Options options;
  ShardAccess* const shards;
  FrameArchive* const archive;
  LinkWaker* const waker;
  std::vector<RequestRef> waiting;  // For a snapshot.
  bool attempt_under_way = false;   // To begin one.
  int64_t now_ms = 0;
  int64_t retry_at_ms = std::numeric_limits<int64_t>::max();
};

// Each shard's thread writes its own element of a result and nobody reads before all are done, so
// results need no lock: they are shared by the two closures and die with the later one.

void CatchUp::Core::TryBacklog(RequestRef request) {
  const auto subscriber = std::make_shared<Subscriber>(request->queue, waker);
  request->subscriber = subscriber;
  const auto joins = std::make_shared<std::vector<Join::Kind>>(EmptyPlan().shards.size());
  shards->OnEachShard(
      [request, subscriber, joins](PublishingShard& shard) {
        (*joins)[shard.publisher.shard().value()] = ResumeOn(shard, *request, subscriber);
      },
      [self = shared_from_this(), request, subscriber, joins] {
        if (request->ended()) return;
        StreamPlan plan = self->EmptyPlan();
        plan.continues = request->position.history;
        bool joined = true;
        bool ours = true;
        for (size_t i = 0; i < joins->size(); ++i) {
          const Join::Kind kind = (*joins)[i];
          joined &= Joined(kind);
          ours &= kind != Join::Kind::kNotOurs;
          plan.shards[i].at = request->position.shards[i];
          plan.shards[i].source = SourceOf(kind);
        }
        if (joined) return request->Answer(FeedOf(plan, subscriber));
        request->subscriber = nullptr;
        self->LetGo(subscriber);
        if (ours && request->last != LastRung::kBacklog && self->archive != nullptr) {
          return self->TryArchive(request, std::move(plan));
        }
        self->TrySnapshot(request);
      });
}

void CatchUp::Core::TryArchive(const RequestRef& request, StreamPlan plan) {
  for (ShardPlan& shard : plan.shards) {
    if (shard.source == CatchUpSource::kBacklog) shard.source = CatchUpSource::kSegments;
  }
  request->cursor = archive->Open(request->position);
  // The request owns the cursor and the cursor this callback: End() undoes the circle.
  request->cursor->Read(options.archive_read_bytes, [self = shared_from_this(), request,
                                                     plan = std::move(plan)](ArchiveBatch batch) {
    std::unique_ptr<ArchiveCursor> cursor = std::move(request->cursor);
    if (request->ended()) return;
    if (!batch.status.ok()) return self->TrySnapshot(request);
    request->Answer({.plan = plan,
                     .subscriber = nullptr,
                     .cursor = std::move(cursor),
                     .first = std::move(batch.frames)});
  });
}

void CatchUp::Core::TrySnapshot(const RequestRef& request) {
  if (request->last < LastRung::kShardSnapshots)
    return request->Answer(FeedOf(EmptyPlan(), nullptr));
  waiting.push_back(request);
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
  for (const RequestRef& request : *requests) {
    request->subscriber = std::make_shared<Subscriber>(request->queue, waker);
  }
  // A request that is ended meanwhile lets go of its own.
  std::vector<SubscriberRef> subscribers;
  for (const RequestRef& request : *requests) subscribers.push_back(request->subscriber);
  const auto starts = std::make_shared<std::vector<SnapshotStart>>(EmptyPlan().shards.size());
  shards->AtCut(
      [requests, subscribers, starts](PublishingShard& shard) {
        SnapshotStart& start = (*starts)[shard.publisher.shard().value()];
        shard.publisher.SealNow();
        start.entries = shard.keyspace.size();
        start.cut = {shard.publisher.emitted(), shard.publisher.digest()};
        bool wanted = false;
        for (size_t i = 0; i < requests->size(); ++i) {
          const Request& request = *(*requests)[i];
          Join::Kind kind = Join::Kind::kNotOurs;
          if (request.last == LastRung::kShardSnapshots) {
            kind = ResumeOn(shard, request, subscribers[i]);
          }
          if (!Joined(kind)) {
            shard.publisher.Subscribe(subscribers[i], {});
            wanted = true;
          }
          start.joins.push_back(kind);
        }
        if (!wanted) return;
        shard.snapshots.DoSlice();
        start.began = shard.snapshots.waiting() == 0;
      },
      [self = shared_from_this(), requests, subscribers, starts] {
        self->attempt_under_way = false;
        const bool began = std::all_of(starts->begin(), starts->end(),
                                       [](const SnapshotStart& start) { return start.began; });
        if (!self->waiting.empty()) self->retry_at_ms = self->now_ms + kBusyRetryMs;
        for (size_t i = 0; i < requests->size(); ++i) {
          const RequestRef& request = (*requests)[i];
          if (request->ended()) continue;
          if (began) {
            request->Answer(FeedOf(self->PlanFrom(*starts, i, *request), subscribers[i]));
          } else {
            request->subscriber = nullptr;
            self->LetGo(subscribers[i]);
            self->waiting.push_back(request);
            self->retry_at_ms = self->now_ms + kBusyRetryMs;
          }
        }
      });
}

StreamPlan CatchUp::Core::PlanFrom(const std::vector<SnapshotStart>& starts, size_t index,
                                   const Request& request) const {
  StreamPlan plan = EmptyPlan();
  bool goes_on = false;
  for (size_t i = 0; i < starts.size(); ++i) {
    ShardPlan& shard = plan.shards[i];
    const Join::Kind kind = starts[i].joins[index];
    if (Joined(kind)) {
      goes_on = true;
      shard = {.source = SourceOf(kind), .at = request.position.shards[i]};
      continue;
    }
    shard = {.source = CatchUpSource::kSnapshot,
             .at = starts[i].cut,
             .entries = starts[i].entries,
             .diverged = request.comparable && kind == Join::Kind::kNotOurs &&
                         request.last == LastRung::kShardSnapshots};
  }
  if (goes_on) plan.continues = request.position.history;
  if (!plan.is_mixed()) return plan;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (!plan.shards[i].is_snapshot()) plan.shards[i].cut = starts[i].cut;
  }
  return plan;
}

void CatchUp::Core::LetGo(SubscriberRef subscriber) {
  subscriber->Cut(CutCause::kClosed);
  subscriber->DropAll();
  shards->OnEachShard(
      [subscriber](PublishingShard& shard) { shard.publisher.Unsubscribe(subscriber.get()); },
      // A shard may have been pushing while the queues were emptied.
      [subscriber] { subscriber->DropAll(); });
}

CatchUp::CatchUp(const Options& options, ShardAccess* shards, FrameArchive* archive,
                 LinkWaker* waker)
    : core_(std::make_shared<Core>(options, shards, archive, waker)) {}

CatchUp::~CatchUp() = default;

const CatchUp::Options& CatchUp::options() const { return core_->options; }

CatchUp::RequestRef CatchUp::Begin(const ReplicaPosition& position, LastRung last, int queue_growth,
                                   Callback callback) {
  Subscriber::Options queue = core_->options.subscriber;
  queue.max_frames *= static_cast<size_t>(queue_growth);
  queue.max_bytes *= static_cast<size_t>(queue_growth);
  auto request = std::make_shared<Request>(position, last, queue, std::move(callback));
  request->comparable = core_->shards->Knows(position.history) &&
                        position.shards.size() == static_cast<size_t>(core_->shards->shard_count());
  if (request->comparable && last != LastRung::kNothingButSnapshot) {
    core_->TryBacklog(request);
  } else {
    core_->TrySnapshot(request);
  }
  return request;
}

void CatchUp::End(const RequestRef& request) {
  request->callback = nullptr;
  request->cursor = nullptr;
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
