#include "replication/shell/replica_client.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "base/link/deadline_timer.h"
#include "base/link/link_loop.h"
#include "base/log/log.h"
#include "fmt/format.h"
#include "replication/link/logged_receiver.h"
#include "replication/shell/primary_connection.h"
#include "replication/shell/relay_feeder.h"
#include "replication/shell/step_runner.h"

namespace tidemark::replication {
namespace {

constexpr auto kStopTimeout = std::chrono::milliseconds(1'000);
// The least between two refreshes of what status() shows.
constexpr int64_t kStatusMs = 5;

std::string Text(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

// What the snapshot that comes will cost.
std::string DiscardedText(const std::vector<ReplicaLink::DiscardedSpan>& spans) {
  std::string text;
  for (const ReplicaLink::DiscardedSpan& span : spans) {
    text += fmt::format("{} shard {}: {} to {}", text.empty() ? "" : ",", span.shard.value(),
                        span.first.value(), span.last.value());
  }
  return fmt::format(
      "this node held records that the primary's history does not have, which are discarded:{}",
      text);
}

Applier::Options WithShards(Applier::Options options, size_t shards) {
  options.own_shards = static_cast<int>(shards);
  return options;
}

}  // namespace

// Everything but the public functions runs on the link thread.
class ReplicaClient::Core final {
 public:
  Core(const Options& options, std::vector<cache::Keyspace*> keyspaces, ShardCalls calls)
      : options_(options),
        applier_(WithShards(options.applier, keyspaces.size())),
        relay_(&applier_, options.relay_bytes),
        logged_receiver_(&relay_),
        link_(options.link, &logged_receiver_, LinkLoop::NowMs()),
        connection_(loop_.context(),
                    {.host = options.primary_host,
                     .port = options.primary_port,
                     .locate = options.locate_primary,
                     .node_id = options.link.node_id},
                    &link_, [this] { Serve(); }),
        steps_(&loop_, &applier_, keyspaces, options.shard_relays, std::move(calls),
               {.before_visible = [this] { ShowServed(); },
                .on_done = [this](const absl::Status& status) { OnStepDone(status); }}),
        tick_(loop_.context(), [this] {
          link_.Tick(LinkLoop::NowMs());
          Serve();
          return NextDeadlineMs();
        }) {
    if (options_.relay == nullptr) return;
    feeder_.emplace(RelayFeeder::Links{.relay = options_.relay,
                                       .shard_relays = options_.shard_relays,
                                       .link = &link_,
                                       .applier = &applier_,
                                       .steps = &steps_},
                    options_.relay_tail);
  }
  ~Core() { Stop(); }

  void Start(absl::AnyInvocable<void()> on_synced) {
    on_synced_ = std::move(on_synced);
    started_ = true;
    loop_.Post([this] { Serve(); });
    loop_.Start("primary link");
  }
  void Begin(const ReplicaPosition& start, Watermarks held, std::vector<uint64_t> keys,
             std::vector<Ancestor> ancestors, StreamLog* log) {
    has_recovered_ = !start.shards.empty();
    applier_.Begin(start, std::move(held), std::move(keys), std::move(ancestors));
    KeepIn(log);
  }
  void KeepIn(StreamLog* log) {
    logged_receiver_.set_log(log);
    log->set_on_change([this, loop = loop_.poster()] { loop.Post([this] { Serve(); }); });
  }
  void Stop();
  Ending Finish(wire::Goodbye::Code code);
  void RefusePromotion(std::string why) {
    loop_.Post([this, why = std::move(why)] {
      link_.Fail(wire::Goodbye::PROMOTION_REFUSED, absl::FailedPreconditionError(why),
                 LinkLoop::NowMs());
      Serve();
    });
  }
  void SetToken(std::string token) {
    loop_.Post([this, token = std::move(token)] { link_.set_token(token); });
  }
  bool FreeSome(ShardId shard, size_t max_entries) { return steps_.FreeSome(shard, max_entries); }
  void LeaveShard(ShardId shard) { steps_.LeaveShard(shard); }
  void ObserveAtCut(std::function<void(ShardId)> each, Observed done) {
    loop_.Post([this, each = std::move(each), done = std::move(done)]() mutable {
      steps_.Observe({.before = nullptr, .each = std::move(each), .done = std::move(done)});
      Serve();
    });
  }
  Status status() const {
    std::lock_guard lock(status_mutex_);
    Status status = status_;
    // They grow while nothing happens.
    const int64_t passed_ms = LinkLoop::NowMs() - status_at_ms_;
    if (status.silent_ms >= 0) status.silent_ms += passed_ms;
    if (status.stale_ms >= 0) status.stale_ms += passed_ms;
    return status;
  }

 private:
  void Serve();
  void TellOwner();
  void FinishIfDone();
  void OnStepDone(const absl::Status& status);
  void ShowServed();
  void ShowAge();
  uint64_t LagRecords() const;
  void ServeLog(int64_t now_ms);
  bool WantsInput() const {
    return applier_.wants_input() &&
           (logged_receiver_.log() == nullptr || logged_receiver_.log()->wants_input());
  }
  void NoteChanges(int64_t now_ms);
  int64_t NextDeadlineMs() const;
  void ArmTick() { tick_.ArmBy(NextDeadlineMs()); }
  void RefreshStatus(int64_t now_ms);

  const Options options_;
  LinkLoop loop_;
  Applier applier_;
  RelayBacklog relay_;
  LoggedReceiver logged_receiver_;
  ReplicaLink link_;
  PrimaryConnection connection_;
  StepRunner steps_;
  std::optional<RelayFeeder> feeder_;     // If this node serves replicas.
  uint64_t swapped_in_ = 0;               // Snapshots, as far as the log knows.
  bool has_recovered_ = false;            // Begin() gave something to show.
  std::vector<Ancestor> ancestors_;       // Of what is served.
  HistoryId shown_history_;               // As the board knows it.
  absl::AnyInvocable<void()> on_synced_;  // Null once called.
  bool started_ = false;
  std::shared_ptr<std::promise<void>> stopped_;  // Set while stopping.

  std::shared_ptr<std::promise<Ending>> finishing_;  // Set while Finish() waits.

  DeadlineTimer tick_;
  std::string
      logged_;  // The last line about the link, so that a failure that repeats is told once.

  uint64_t logged_discarded_ = 0;

  mutable std::mutex status_mutex_;
  Status status_;             // Under the mutex.
  int64_t status_at_ms_ = 0;  // Written under the mutex, and read by the link thread without.
  bool status_due_ = false;   // Something has happened since.
};

// Does whatever the link and the applier want by now. Called after every event.
void ReplicaClient::Core::Serve() {
  const int64_t now_ms = LinkLoop::NowMs();
  if (feeder_) feeder_->Serve();  // Before a step of another stream.
  if (absl::Status status = steps_.HandOut(); !status.ok()) {
    link_.Fail(wire::Goodbye::PROTOCOL, status, now_ms);
  }
  const bool applied_moved = applier_.TakeAppliedMoved();
  if (applied_moved) link_.OnApplied(applier_.AckableApplied(), now_ms);
  if (applied_moved || applier_.history() != shown_history_) ShowServed();
  ShowAge();
  if (logged_receiver_.log() != nullptr) ServeLog(now_ms);
  connection_.Serve(WantsInput(), now_ms);
  TellOwner();
  FinishIfDone();
  NoteChanges(now_ms);
  ArmTick();
}

void ReplicaClient::Core::TellOwner() {
  if (link_.TakePromotionOrder() && options_.on_promotion_order) options_.on_promotion_order();
  if (auto moved = link_.TakeNewPrimary(); moved && options_.on_new_primary) {
    options_.on_new_primary(std::move(moved->host), moved->port);
  }
}

void ReplicaClient::Core::FinishIfDone() {
  if (finishing_ == nullptr || link_.state() != ReplicaLink::State::kStopped) return;
  if (steps_.observed()) return;  // They are owed an answer, too.
  const std::optional<ReplicaPosition> position = applier_.Position();
  if (!position) return;
  Ending ending;
  ending.position = *position;
  ending.ancestors = applier_.ancestors();
  ending.emitted = link_.emitted();
  ending.tail = relay_.Take(position->shards);
  ending.keys = applier_.keys();
  ending.whole = applier_.whole();
  std::exchange(finishing_, nullptr)->set_value(std::move(ending));
}

void ReplicaClient::Core::ServeLog(int64_t now_ms) {
  StreamLog& log = *logged_receiver_.log();
  if (std::exchange(swapped_in_, applier_.counters().snapshots_swapped_in) != swapped_in_) {
    log.OnServed();
  }
  log.OnTurnEnd();
  if (const Watermarks durable = log.Durable(); !durable.empty()) link_.OnDurable(durable, now_ms);
}

void ReplicaClient::Core::OnStepDone(const absl::Status& status) {
  if (!status.ok()) link_.Fail(wire::Goodbye::PROTOCOL, status, LinkLoop::NowMs());
  Serve();
}

// --- Time and what others see ---

void ReplicaClient::Core::ShowServed() {
  if (options_.served == nullptr) return;
  ServedPosition position;
  position.history = shown_history_ = applier_.history();
  // A plan that waits for its snapshot says nothing of what is served.
  if (link_.plan().history == position.history) ancestors_ = link_.plan().ancestors;
  position.ancestors = ancestors_;
  position.reached = applier_.applied();
  position.shown_history = applier_.swapping() ? link_.plan().history : position.history;
  position.shown = applier_.swapping() ? applier_.staged() : applier_.Shown();
  options_.served->Show(std::move(position));
}

void ReplicaClient::Core::ShowAge() {
  if (options_.served == nullptr) return;
  options_.served->ShowAge(link_.current_as_of_ms(), LagRecords());
}

// Known to be emitted there, and not applied here.
uint64_t ReplicaClient::Core::LagRecords() const {
  const Watermarks& emitted = link_.emitted();
  const Watermarks applied = applier_.AckableApplied();
  if (applied.size() != emitted.size()) return 0;
  uint64_t lag = 0;
  for (size_t i = 0; i < applied.size(); ++i) {
    // What has come since the last heartbeat was emitted, too.
    const Sequence known = std::max(emitted[i], link_.received()[i]);
    if (known > applied[i]) lag += known.value() - applied[i].value();
  }
  return lag;
}

int64_t ReplicaClient::Core::NextDeadlineMs() const {
  const int64_t at_ms = link_.NextDeadlineMs();
  return status_due_ ? std::min(at_ms, status_at_ms_ + kStatusMs) : at_ms;
}

void ReplicaClient::Core::NoteChanges(int64_t now_ms) {
  // What was recovered is shown at once where the primary cannot say how old it is.
  const bool answered = link_.state() == ReplicaLink::State::kSnapshot ||
                        link_.state() == ReplicaLink::State::kStreaming ||
                        !link_.last_failure().ok();
  const bool shows = applier_.synced() || (has_recovered_ && answered);
  if (shows && on_synced_ != nullptr) std::exchange(on_synced_, nullptr)();
  const uint64_t discarded = link_.counters().discarded_records;
  if (std::exchange(logged_discarded_, discarded) != discarded) {
    Log(LogLevel::kWarning, DiscardedText(link_.discarded()));
  }
  std::string line;
  if (link_.state() == ReplicaLink::State::kBackoff && !link_.last_failure().ok()) {
    line = fmt::format("link to the primary: {}; trying again", Text(link_.last_failure()));
  } else if (link_.state() == ReplicaLink::State::kStreaming) {
    line = "link to the primary: connected";
  } else if (link_.state() == ReplicaLink::State::kSnapshot) {
    line = "link to the primary: receiving a snapshot";
  }
  if (!line.empty() && line != logged_) {
    Log(link_.refused() ? LogLevel::kError : LogLevel::kInfo, line);
    logged_ = std::move(line);
  }
  status_due_ = now_ms - status_at_ms_ < kStatusMs;
  if (!status_due_) RefreshStatus(now_ms);
  const bool gone = link_.state() == ReplicaLink::State::kStopped;
  if (gone && stopped_ != nullptr) std::exchange(stopped_, nullptr)->set_value();
}

void ReplicaClient::Core::RefreshStatus(int64_t now_ms) {
  Status status;
  status.link_state = link_.state_name();
  status.link_up = link_.state() == ReplicaLink::State::kStreaming ||
                   link_.state() == ReplicaLink::State::kSnapshot;
  status.sync_in_progress = link_.state() == ReplicaLink::State::kSnapshot;
  status.history = applier_.history();
  status.path = link_.plan().path;
  status.received = link_.received();
  status.applied = applier_.Holds();
  status.primary_emitted = link_.emitted();
  status.lag_records = LagRecords();
  if (link_.last_heard_ms() > 0) status.silent_ms = now_ms - link_.last_heard_ms();
  if (link_.current_as_of_ms() > 0) status.stale_ms = now_ms - link_.current_as_of_ms();
  status.last_failure = Text(link_.last_failure());
  status.apply_ns = steps_.apply_ns();
  status.link = link_.counters();
  status.applier = applier_.counters();
  std::lock_guard lock(status_mutex_);
  status_ = std::move(status);
  status_at_ms_ = now_ms;
}

void ReplicaClient::Core::Stop() {
  if (!std::exchange(started_, false)) return;
  const auto stopped = std::make_shared<std::promise<void>>();
  std::future<void> done = stopped->get_future();
  loop_.Post([this, stopped] {
    stopped_ = stopped;
    link_.Stop(LinkLoop::NowMs());
    Serve();
  });
  done.wait_for(kStopTimeout);
  loop_.Stop();
  connection_.Close();
}

ReplicaClient::Ending ReplicaClient::Core::Finish(wire::Goodbye::Code code) {
  const auto finishing = std::make_shared<std::promise<Ending>>();
  std::future<Ending> ending = finishing->get_future();
  loop_.Post([this, finishing, code] {
    finishing_ = finishing;
    link_.Stop(LinkLoop::NowMs(), code);
    Serve();
  });
  Ending result = ending.get();
  Stop();
  return result;
}

ReplicaClient::ReplicaClient(const Options& options, std::vector<cache::Keyspace*> keyspaces,
                             ShardCalls calls)
    : core_(std::make_unique<Core>(options, std::move(keyspaces), std::move(calls))) {}

ReplicaClient::~ReplicaClient() = default;

void ReplicaClient::Begin(const ReplicaPosition& start, Watermarks held, std::vector<uint64_t> keys,
                          std::vector<Ancestor> ancestors, StreamLog* log) {
  core_->Begin(start, std::move(held), std::move(keys), std::move(ancestors), log);
}
void ReplicaClient::KeepIn(StreamLog* log) { core_->KeepIn(log); }
void ReplicaClient::Start(absl::AnyInvocable<void()> on_synced) {
  core_->Start(std::move(on_synced));
}
void ReplicaClient::Stop() { core_->Stop(); }
ReplicaClient::Ending ReplicaClient::Finish(wire::Goodbye::Code code) {
  return core_->Finish(code);
}
void ReplicaClient::RefusePromotion(std::string why) { core_->RefusePromotion(std::move(why)); }
void ReplicaClient::SetToken(std::string token) { core_->SetToken(std::move(token)); }
void ReplicaClient::ObserveAtCut(std::function<void(ShardId)> each, Observed done) {
  core_->ObserveAtCut(std::move(each), std::move(done));
}
bool ReplicaClient::FreeSome(ShardId shard, size_t max_entries) {
  return core_->FreeSome(shard, max_entries);
}
void ReplicaClient::LeaveShard(ShardId shard) { core_->LeaveShard(shard); }
ReplicaClient::Status ReplicaClient::status() const { return core_->status(); }

}  // namespace tidemark::replication
