#include "replication/shell/replica_client.h"

#include <algorithm>
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/link/deadline_timer.h"
#include "base/link/link_loop.h"
#include "base/link/link_socket.h"
#include "base/log/log.h"
#include "fmt/format.h"
#include "replication/apply/shard_applier.h"
#include "replication/link/logged_receiver.h"
#include "replication/link/relay_gate.h"
#include "replication/shell/primary_locator.h"

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

// Of a shard's part of a step, as it came; about what it adds to memory, at most.
size_t BytesOf(const Slice& slice) {
  size_t bytes = 0;
  for (const SlicePart& part : slice.parts) {
    if (part.frame != nullptr) bytes += part.frame->memory_bytes();
  }
  return bytes;
}

// A step on its way over the shards, and what they report.
struct StepRound {
  ApplyStep step;
  std::vector<const Slice*> slices;  // Of each shard; null: none.
  std::vector<ShardId> shards;       // That take part.
  std::vector<StepResult> results;   // Each shard writes its own, as below; read when `left` is 0.
  std::vector<int64_t> nanos;
  std::atomic<size_t> left{0};
};

}  // namespace

// Everything but the public functions runs on the link thread.
class ReplicaClient::Core final : public LinkSocketOwner {
 public:
  Core(const Options& options, std::vector<cache::Keyspace*> keyspaces, ShardCalls calls)
      : options_(options),
        calls_(std::move(calls)),
        applier_(WithShards(options.applier, keyspaces.size())),
        relay_(&applier_, options.relay_bytes),
        logged_receiver_(&relay_),
        link_(options.link, &logged_receiver_, LinkLoop::NowMs()),
        gate_(static_cast<int>(keyspaces.size())),
        relay_tail_(options.relay_tail),
        locator_(loop_.context()),
        resolver_(loop_.context()),
        tick_(loop_.context(), [this] {
          link_.Tick(LinkLoop::NowMs());
          Serve();
          return NextDeadlineMs();
        }) {
    for (size_t i = 0; i < keyspaces.size(); ++i) {
      shards_.push_back(std::make_unique<ShardApplier>(
          keyspaces[i], options_.shard_relays.empty() ? nullptr : options_.shard_relays[i]));
    }
  }
  ~Core() override { Stop(); }

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
  bool FreeSome(ShardId shard, size_t max_entries) {
    return shards_[shard.value()]->FreeSome(max_entries);
  }
  void LeaveShard(ShardId shard) { shards_[shard.value()]->Leave(); }
  void ObserveAtCut(std::function<void(ShardId)> each, Observed done) {
    loop_.Post([this, each = std::move(each), done = std::move(done)]() mutable {
      observers_.push_back({nullptr, std::move(each), std::move(done)});
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
  // LinkSocketOwner.
  void OnBytes(std::string_view bytes) override {
    link_.OnBytes(bytes, LinkLoop::NowMs());
    Serve();
  }
  void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) override {
    link_.Gather(max_pieces, pieces);
  }
  void OnWritten(size_t bytes) override {
    link_.OnWritten(bytes, LinkLoop::NowMs());
    Serve();
  }
  void OnClosed(const absl::Status& why) override {
    link_.OnDisconnected(why, LinkLoop::NowMs());
    Serve();
  }

  void Serve();
  void ServeConnection(int64_t now_ms);
  void Connect();
  void ConnectTo(uint16_t port);
  void TellOwner();
  void FinishIfDone();
  void OnConnect(const asio::error_code& error);
  void HandOutSteps(int64_t now_ms);
  void HandOut(ApplyStep step);
  void OnStepDone(const StepRound& round);
  void Observe();
  void ServeRelay();
  void BeginRelay();
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
  const ShardCalls calls_;
  LinkLoop loop_;
  std::vector<std::unique_ptr<ShardApplier>> shards_;  // Each used on its shard's thread.
  Applier applier_;
  RelayBacklog relay_;
  LoggedReceiver logged_receiver_;
  ReplicaLink link_;
  RelayGate gate_;
  std::vector<StreamTail> relay_tail_;  // For the first stream that is handed on.
  int64_t upstream_told_ms_ = 0;        // The emitted_as_of_ms() that the relay knows.
  uint64_t swapped_in_ = 0;             // Snapshots, as far as the log knows.
  bool has_recovered_ = false;          // Begin() gave something to show.
  uint64_t apply_ns_ = 0;
  std::vector<Ancestor> ancestors_;       // Of what is served.
  HistoryId shown_history_;               // As the board knows it.
  absl::AnyInvocable<void()> on_synced_;  // Null once called.
  bool started_ = false;
  std::shared_ptr<std::promise<void>> stopped_;  // Set while stopping.

  std::shared_ptr<std::promise<Ending>> finishing_;  // Set while Finish() waits.

  PrimaryLocator locator_;
  // An attempt to connect: its number makes handlers of an earlier one know that they are late.
  asio::ip::tcp::resolver resolver_;
  std::optional<asio::ip::tcp::socket> connecting_;
  uint64_t attempt_ = 0;
  std::unique_ptr<LinkSocket> socket_;
  bool reading_ = true;

  struct Observer {
    std::function<void()> before;  // On the link thread, when no step is under way; may be null.
    std::function<void(ShardId)> each;
    Observed done;
  };
  std::deque<Observer> observers_;  // While there are any, no step is handed out.
  bool observing_ = false;          // The first one's cut is under way.

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
  if (options_.relay != nullptr) ServeRelay();  // Before a step of another stream.
  HandOutSteps(now_ms);
  const bool applied_moved = applier_.TakeAppliedMoved();
  if (applied_moved) link_.OnApplied(applier_.AckableApplied(), now_ms);
  if (applied_moved || applier_.history() != shown_history_) ShowServed();
  ShowAge();
  if (logged_receiver_.log() != nullptr) ServeLog(now_ms);
  ServeConnection(now_ms);
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
  if (!observers_.empty()) return;  // They are owed an answer, too.
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

// --- The connection ---

void ReplicaClient::Core::ServeConnection(int64_t now_ms) {
  const bool attempting = link_.state() == ReplicaLink::State::kConnecting;
  if (socket_ != nullptr) socket_->WantWrite();
  if (!link_.wants_connection() || attempting) {
    // What was there belongs to an earlier attempt.
    if (socket_ != nullptr) socket_.reset();
  }
  if (!attempting && connecting_) {
    ++attempt_;
    connecting_.reset();
    locator_.Cancel();
    resolver_.cancel();
  }
  if (attempting && !connecting_) Connect();
  if (socket_ != nullptr && reading_ != WantsInput()) {
    reading_ = !reading_;
    reading_ ? link_.OnReadingResumed(now_ms) : link_.OnReadingPaused(now_ms);
    socket_->SetReading(reading_);
  }
}

void ReplicaClient::Core::Connect() {
  connecting_.emplace(loop_.context());
  const uint64_t attempt = ++attempt_;
  if (!options_.locate_primary) return ConnectTo(options_.primary_port);
  locator_.Locate(options_.primary_host, options_.primary_port, options_.link.node_id,
                  [this, attempt](absl::StatusOr<LocatedPrimary> found) {
                    if (attempt != attempt_) return;
                    if (found.ok()) return ConnectTo(found->port);
                    connecting_.reset();
                    link_.OnConnectFailed(found.status(), LinkLoop::NowMs());
                    Serve();
                  });
}

void ReplicaClient::Core::ConnectTo(uint16_t port) {
  const uint64_t attempt = attempt_;
  resolver_.async_resolve(options_.primary_host, fmt::format("{}", port),
                          [this, attempt](const asio::error_code& error,
                                          const asio::ip::tcp::resolver::results_type& endpoints) {
                            if (attempt != attempt_) return;
                            if (error) return OnConnect(error);
                            asio::async_connect(*connecting_, endpoints,
                                                [this, attempt](const asio::error_code& failed,
                                                                const asio::ip::tcp::endpoint&) {
                                                  if (attempt == attempt_) OnConnect(failed);
                                                });
                          });
}

void ReplicaClient::Core::OnConnect(const asio::error_code& error) {
  const int64_t now_ms = LinkLoop::NowMs();
  asio::ip::tcp::socket socket = std::move(*connecting_);
  connecting_.reset();
  if (error) {
    link_.OnConnectFailed(absl::UnavailableError(
                              fmt::format("cannot connect to {} port {}: {}", options_.primary_host,
                                          options_.primary_port, error.message())),
                          now_ms);
  } else {
    socket_ = std::make_unique<LinkSocket>(std::move(socket), this);
    reading_ = true;
    link_.OnConnected(now_ms);
  }
  Serve();
}

// --- Steps ---

void ReplicaClient::Core::HandOutSteps(int64_t now_ms) {
  if (!observers_.empty()) return Observe();
  while (true) {
    absl::StatusOr<std::optional<ApplyStep>> step = applier_.NextStep();
    if (!step.ok()) return link_.Fail(wire::Goodbye::PROTOCOL, step.status(), now_ms);
    if (!step->has_value()) return;
    HandOut(**std::move(step));
  }
}

void ReplicaClient::Core::HandOut(ApplyStep step) {
  const auto round = std::make_shared<StepRound>();
  round->step = std::move(step);
  // Before a reader can see any of it.
  if (!round->step.to_staging) ShowServed();
  round->slices.resize(shards_.size());
  round->results.resize(shards_.size());
  round->nanos.resize(shards_.size());
  for (const Slice& slice : round->step.slices) round->slices[slice.shard.value()] = &slice;
  const bool all = round->step.at_cut || round->step.kind != ApplyStep::Kind::kApply;
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (all || round->slices[i] != nullptr) {
      round->shards.push_back(ShardId(static_cast<uint16_t>(i)));
    }
  }
  round->left = round->shards.size();
  const auto run = [this, round](ShardId shard) {
    const size_t i = shard.value();
    const int64_t began_ns = Clock::System().MonotonicNanos();
    round->results[i] = shards_[i]->Run(round->step, round->slices[i]);
    round->nanos[i] = Clock::System().MonotonicNanos() - began_ns;
  };
  if (round->step.at_cut) {
    calls_.at_cut(run, [this, round, loop = loop_.poster()] {
      loop.Post([this, round] { OnStepDone(*round); });
    });
    return;
  }
  for (const ShardId shard : round->shards) {
    calls_.post(shard, [this, run, shard, round, loop = loop_.poster()] {
      run(shard);
      const auto done = [this, round, loop] {
        // The last one sees what all the others did.
        if (round->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        loop.Post([this, round] { OnStepDone(*round); });
      };
      if (calls_.pace == nullptr || round->step.kind != ApplyStep::Kind::kApply) return done();
      calls_.pace(shard, BytesOf(*round->slices[shard.value()]), done);
    });
  }
}

void ReplicaClient::Core::OnStepDone(const StepRound& round) {
  for (const ShardId shard : round.shards) {
    apply_ns_ += static_cast<uint64_t>(round.nanos[shard.value()]);
    const absl::Status status =
        applier_.OnShardDone(round.step.id, shard, round.results[shard.value()]);
    if (!status.ok()) link_.Fail(wire::Goodbye::PROTOCOL, status, LinkLoop::NowMs());
  }
  Serve();
}

void ReplicaClient::Core::Observe() {
  if (observing_ || !applier_.idle()) return;
  observing_ = true;
  if (observers_.front().before) observers_.front().before();
  calls_.at_cut(observers_.front().each, [this, loop = loop_.poster()] {
    loop.Post([this] {
      Observer observer = std::move(observers_.front());
      observers_.pop_front();
      observing_ = false;
      observer.done(applier_.position());
      Serve();
    });
  });
}

// --- Those who follow this node ---

void ReplicaClient::Core::ServeRelay() {
  while (true) {
    const RelayGate::Seen seen = {
        .plans = link_.counters().connections,
        .plan = &link_.plan(),
        .streaming = link_.state() == ReplicaLink::State::kStreaming,
        .exact = applier_.exact(),
    };
    switch (gate_.Ask(seen)) {
      case RelayGate::Next::kNothing: {
        const int64_t as_of_ms = link_.emitted_as_of_ms();
        if (as_of_ms != 0 && std::exchange(upstream_told_ms_, as_of_ms) != as_of_ms) {
          options_.relay->OnUpstream(link_.emitted(), as_of_ms);
        }
        return;
      }
      case RelayGate::Next::kClose:
        options_.relay->Close(gate_.why());
        upstream_told_ms_ = 0;
        break;
      case RelayGate::Next::kHold:
        options_.relay->Hold(gate_.why());
        break;
      case RelayGate::Next::kBegin:
        BeginRelay();
        break;
      case RelayGate::Next::kAdmit:
        options_.relay->Open({.history = link_.plan().history,
                              .ancestors = link_.plan().ancestors,
                              .path = link_.plan().path});
        break;
    }
  }
}

void ReplicaClient::Core::BeginRelay() {
  // Filled in before the cut; then each shard takes its own.
  const auto beginnings = std::make_shared<std::vector<ShardPublisher::Beginning>>();
  observers_.push_back({
      .before =
          [this, beginnings] {
            const ReplicaPosition position = applier_.position();
            const std::vector<StreamTail> tail = std::exchange(relay_tail_, {});
            for (size_t i = 0; i < position.shards.size(); ++i) {
              ShardPublisher::Beginning& beginning = beginnings->emplace_back();
              beginning.history = position.history;
              beginning.end = {.last = position.shards[i].sequence,
                               .digest = position.shards[i].stream_digest};
              for (const Ancestor& ancestor : applier_.ancestors()) {
                // Of a primary that had another number of shards: its sequences say nothing here.
                if (ancestor.fork.size() != position.shards.size()) continue;
                beginning.ancestors.push_back(
                    {.history = ancestor.history, .fork = ancestor.fork[i]});
              }
              if (i < tail.size() && EndsAt(tail[i], position.shards[i])) {
                beginning.tail = tail[i];
              }
            }
          },
      .each =
          [this, beginnings](ShardId shard) {
            const size_t i = shard.value();
            // A plan of another number of shards may have come meanwhile.
            if (beginnings->size() != options_.shard_relays.size()) return;
            options_.shard_relays[i]->Begin(std::move((*beginnings)[i]));
          },
      .done = [this](const ReplicaPosition&) { gate_.OnBegun(); },
  });
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
  status.apply_ns = apply_ns_;
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
  socket_.reset();
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
