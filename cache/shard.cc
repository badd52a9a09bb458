#include "cache/shard.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/key_hash.h"
#include "cache/commands/errors.h"
#include "cache/commands/scan.h"
#include "cache/engine.h"
#include "cache/lock_holder.h"
#include "cache/mesh_batch.h"
#include "cache/session_core.h"

namespace tidemark::cache {
namespace {

constexpr size_t kFreeBatches = 16;
constexpr size_t kFreeTapes = 64;
constexpr int kTurnsBetweenTickChecks = 16;
// Of one slice of the background's work: a few tens of microseconds.
constexpr size_t kExpiryVisits = 64;
constexpr size_t kHousekeepingEntries = 128;
// A turn that served its clients for so long earns one more slice, so that the background gets its
// share (about a fifth) of a busy shard; but no more than so many in a row.
constexpr int64_t kNanosPerSlice = 100'000;
constexpr int kMaxSlicesInTurn = 8;
constexpr int64_t kNanosPerMilli = 1'000'000;

// Keys of a command whose keys follow each other, counted without listing them.
size_t KeyCount(const CommandSpec& command, Args args) {
  const KeyRange& keys = command.keys;
  if (keys.first == 0) return 0;
  const int last = keys.last < 0 ? static_cast<int>(args.size()) + keys.last : keys.last;
  return last < keys.first ? 0 : static_cast<size_t>((last - keys.first) / keys.step + 1);
}

}  // namespace

Shard::Shard(Engine& engine, ShardId id, Options options)
    : keyspace_({.sink = options.sink,
                 .effects_only = options.effects_only,
                 .random_seed = CycleClock::Calibrated().Now() + id.value()}),
      memory_(keyspace_, *options.memory_budget),
      stats_(options.command_count),
      slow_log_(id),
      cycles_(CycleClock::Calibrated()),
      sink_(options.sink),
      engine_(engine),
      id_(id),
      options_(std::move(options)),
      mesh_(id, options_.shard_count,
            std::bit_ceil(std::max<size_t>(options_.mesh_ring_messages, 1))),
      outbound_(static_cast<size_t>(options_.shard_count)),
      spin_(options_.spin_limit, UsableCores(), options_.shard_count) {
  RefreshTime();
  // The time makes an id unique across restarts, the shard among its peers.
  next_transaction_ = (uint64_t{id.value()} << 54) | (static_cast<uint64_t>(now_ms_) << 12);
  own_transaction_.participants = {id_};
}

Shard::~Shard() = default;

void Shard::set_sink(MutationSink* sink) {
  sink_ = sink;
  keyspace_.set_sink(sink);
}

void Shard::SetEviction(const EvictionOptions& options) {
  keyspace_.SetEviction(options);
  limits_memory_ = options.limited;
  if (!limits_memory_) memory_.EndWait();
  memory_.Publish();
  GuardWrites();
}

void Shard::RefreshTime() {
  now_ms_ = options_.clock->UnixMillis();
  keyspace_.set_now_ms(now_ms_);
  time_is_fresh_ = true;
}

// --- Commands ---

[[gnu::always_inline]] inline uint64_t Shard::Count(const CommandSpec& command, uint64_t failed) {
  const uint64_t now = cycles_.Now();
  const uint64_t nanos = cycles_.ToNanos(now - last_ticks_);
  last_ticks_ = now;
  stats_.Record(command.id, nanos, failed);
  ++commands_;
  return nanos;
}

[[gnu::always_inline]] inline uint64_t Shard::Call(const CommandSpec& command, Args args,
                                                   uint64_t key_hash, bool no_touch,
                                                   ReplyBuilder& reply) {
  if (!time_is_fresh_) [[unlikely]]
    StartTiming();
  const uint64_t errors_before = reply.errors();
  CommandContext context{keyspace_, command, key_hash, no_touch, &cold_access_};
  if (guards_writes_ && command.is_write() && !AdmitWrite(command, args, reply)) [[unlikely]] {
    return 0;
  }
  if (command.scatter == Scatter::kNone) [[likely]] {
    command.handler(context, args, reply);
  } else {
    RunMultiKey(context, args, reply);
  }
  if (cold_access_.any_needed()) [[unlikely]]
    return kNotRun;
  return Count(command, reply.errors() - errors_before);
}

[[gnu::always_inline]] inline uint64_t Shard::RunInline(const CommandSpec& command, Args args,
                                                        uint64_t key_hash, bool no_touch,
                                                        ReplyBuilder& reply) {
  const uint64_t nanos = Call(command, args, key_hash, no_touch, reply);
  if (nanos == kNotRun) [[unlikely]]
    return CallAgain(command, args, key_hash, no_touch, reply);
  return nanos;
}

[[gnu::noinline]] uint64_t Shard::CallAgain(const CommandSpec& command, Args args,
                                            uint64_t key_hash, bool no_touch, ReplyBuilder& reply) {
  uint64_t nanos = kNotRun;
  // More than once where a handler asks for one value after another.
  while (nanos == kNotRun) {
    if (!cold_values_->StageCached(cold_access_.needed(), cold_access_.StagedForRetry())) {
      return kNotRun;
    }
    nanos = Call(command, args, key_hash, no_touch, reply);
  }
  cold_access_.EndRetry();
  return nanos;
}

bool Shard::AdmitWrite(const CommandSpec& command, Args args, ReplyBuilder& reply) {
  if (read_only_) {
    reply.Error(kReadOnlyReplica);
    Count(command, 1);
    return false;
  }
  if (MakeRoom(command, args)) return true;
  RefuseForMemory(command, reply);
  return false;
}

void Shard::RefuseForMemory(const CommandSpec& command, ReplyBuilder& reply) {
  reply.Error(kOutOfMemory);
  stats_.Reject(command.id);
  Bump(counters_.writes_refused_oom);
}

bool Shard::MakeRoom(const CommandSpec& command, Args args) {
  if (!limits_memory_ || (command.flags & kDenyOom) == 0 || memory_.excess_bytes() == 0) {
    return true;
  }
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += arg.size();
  return memory_.MakeRoom(bytes);
}

void Shard::PaceApply(size_t bytes, absl::AnyInvocable<void()> done) {
  if (cold_values_ == nullptr || !limits_memory_) return done();
  (void)memory_.MakeRoom(bytes);  // It is there already: what cannot go stays.
  if (!memory_.waits_for_tier()) return done();
  paced_appliers_.push_back(std::move(done));
}

void Shard::LetAppliersGoOn() {
  for (absl::AnyInvocable<void()>& done : std::exchange(paced_appliers_, {})) done();
}

void Shard::Promote(KeyRef key, const tier::ValueLocation& at, std::string_view value) {
  if (memory_.excess_bytes() > 0) return cold_values_->CountHeldBack();
  cold_values_->Land(key, at, value);
}

void Shard::LandPromotions() {
  for (const TurnLandings::Landing& landing : cold_values_->landings().Take()) {
    Promote(KeyRef::Of(landing.key), landing.at, landing.value.bytes);
  }
}

uint64_t Shard::Run(const CommandSpec& command, Args args, uint64_t key_hash, bool no_touch,
                    ReplyBuilder& reply) {
  return RunInline(command, args, key_hash, no_touch, reply);
}

bool Shard::Execute(const CommandSpec& command, Args args, uint64_t key_hash, ReplyBuilder& reply,
                    const Session* session) {
  const uint64_t nanos =
      RunInline(command, args, key_hash, session != nullptr && session->no_touch(), reply);
  if (nanos == kNotRun) [[unlikely]]
    return false;
  if (slow_log_.Wants(nanos)) [[unlikely]]
    NoteSlow(command, args, nanos, session);
  return true;
}

void Shard::ExecuteDirectly(const CommandSpec& command, Args args, uint64_t key_hash,
                            Session& session) {
  const uint64_t nanos = RunInline(command, args, key_hash, session.no_touch_, session.reply_);
  if (nanos == kNotRun) [[unlikely]]
    return session.WaitForDisk(command, args, key_hash, session.core_->OpenSlot());
  if (slow_log_.Wants(nanos)) [[unlikely]]
    NoteSlow(command, args, nanos, &session);
  if (command.is_write() && sink_ != nullptr) session.core_->Wrote(id_, sink_->assigned());
}

void Shard::Account(const CommandSpec& command, Args args, Outcome outcome,
                    const Session* session) {
  if (!time_is_fresh_) StartTiming();
  const uint64_t nanos = Count(command, outcome == Outcome::kFailed ? 1 : 0);
  NoteSlow(command, args, nanos, session);
}

void Shard::AccountTransaction(const CommandSpec& command, Args args, uint64_t nanos,
                               Outcome outcome, const Session* session) {
  stats_.Record(command.id, nanos, outcome == Outcome::kFailed ? 1 : 0);
  ++commands_;
  NoteSlow(command, args, nanos, session);
}

void Shard::NoteSlow(const CommandSpec& command, Args args, uint64_t nanos,
                     const Session* session) {
  if (!slow_log_.Wants(nanos) || (command.flags & kSkipSlowlog) != 0 || session == nullptr) return;
  slow_log_.Add(args, nanos, now_ms(), session->address, session->name);
}

void Shard::RunMultiKey(CommandContext& context, Args args, ReplyBuilder& reply) {
  const CommandSpec& command = context.spec;
  if (command.scatter == Scatter::kCursor && shard_count() > 1) return Scan(context, args, reply);
  if (sink_ == nullptr || !command.is_write() || KeyCount(command, args) < 2) {
    return command.handler(context, args, reply);
  }
  // A replica may keep these keys on several shards: it must show all of the change or nothing.
  own_transaction_.id = NewTransactionId();
  sink_->BeginTransaction(own_transaction_);
  command.handler(context, args, reply);
  sink_->EndTransaction();
}

void Shard::Scan(CommandContext& context, Args args, ReplyBuilder& reply) {
  const std::optional<ScanRequest> request = ParseScan(args, reply);
  if (!request) return;
  std::vector<std::string> keys;
  if (request->shard != id_.value()) return AnswerScan(0, keys, reply);
  const uint64_t next = ScanShard(context.keyspace, *request, keys);
  AnswerScan(NextScanCursor(*request, next, shard_count()), keys, reply);
}

// --- Locks ---

bool Shard::MustWait(const CommandSpec& command, Args args, uint64_t key_hash) const {
  if (locks_.empty()) return false;
  const LockMode mode = command.is_write() ? LockMode::kExclusive : LockMode::kShared;
  if (command.scatter == Scatter::kAllShards) return true;
  if (command.scatter == Scatter::kNone) {
    return locks_.Blocks(std::span(&key_hash, command.keys.first == 0 ? 0 : 1), mode);
  }
  std::vector<uint64_t> hashes;
  for (int position : KeyPositions(command, args)) {
    hashes.push_back(KeyHash(args[static_cast<size_t>(position)]));
  }
  return locks_.Blocks(hashes, mode);
}

void Shard::Acquire(LockHolder* holder) {
  if (locks_.Acquire(holder)) {
    holder->OnGranted(*this);
  } else {
    Bump(counters_.lock_waits);
  }
}

void Shard::Release(LockHolder* holder) { locks_.Release(holder, &granted_); }

size_t Shard::RunGranted() {
  size_t ran = 0;
  for (; ran < granted_.size(); ++ran) static_cast<LockHolder*>(granted_[ran])->OnGranted(*this);
  granted_.clear();
  return ran;
}

// --- The mesh ---

void Shard::SendRequest(ShardId peer, const CommandSpec& command, Args args, uint64_t key_hash,
                        bool no_touch, SessionCore& session, uint64_t slot) {
  Outbound& outbound = outbound_[peer.value()];
  if (outbound.open == nullptr) {
    if (free_batches_.empty()) free_batches_.push_back(std::make_unique<RequestBatch>());
    outbound.open = std::move(free_batches_.back());
    free_batches_.pop_back();
    outbound.open->Open(id_, peer);
    open_peers_.push_back(peer);
  }
  outbound.open->Add(command, args, key_hash, no_touch, &session, slot);
  // The peer may start on a large batch while we go on filling the next.
  if (outbound.open->bytes() >= RequestBatch::kFullBytes) {
    SendBatch(peer);
    std::erase(open_peers_, peer);
  }
}

void Shard::SendBatch(ShardId peer) {
  Outbound& outbound = outbound_[peer.value()];
  const size_t bytes = outbound.open->bytes();
  const bool was_full = outbound.bytes_under_way >= options_.mesh_spill_bytes;
  outbound.bytes_under_way += bytes;
  if (!was_full && outbound.bytes_under_way >= options_.mesh_spill_bytes) ++full_peers_;
  ++batches_under_way_;
  Bump(counters_.mesh_requests, outbound.open->size());
  mesh_.Send(peer, outbound.open.release());
}

void Shard::CloseBatches() {
  for (ShardId peer : open_peers_) SendBatch(peer);
  open_peers_.clear();
}

void Shard::BatchDone(std::unique_ptr<RequestBatch> batch) {
  Outbound& outbound = outbound_[batch->target().value()];
  const bool was_full = outbound.bytes_under_way >= options_.mesh_spill_bytes;
  outbound.bytes_under_way -= batch->bytes();
  --batches_under_way_;
  if (was_full && outbound.bytes_under_way < options_.mesh_spill_bytes && --full_peers_ == 0) {
    for (IntrusivePtr<SessionCore>& session : waiting_for_mesh_) {
      session->waits_for_mesh = false;
      QueueNotify(*session);
    }
    waiting_for_mesh_.clear();
  }
  batch->Clear();
  if (free_batches_.size() < kFreeBatches) free_batches_.push_back(std::move(batch));
}

bool Shard::MeshIsFull(SessionCore& session) {
  if (full_peers_ == 0) [[likely]]
    return false;
  if (!session.waits_for_mesh) {
    session.waits_for_mesh = true;
    waiting_for_mesh_.push_back(IntrusivePtr<SessionCore>::Share(&session));
  }
  return true;
}

int Shard::mesh_utilisation_percent() const {
  size_t most = 0;
  for (const Outbound& outbound : outbound_) most = std::max(most, outbound.bytes_under_way);
  return static_cast<int>(std::min<size_t>(100, most * 100 / options_.mesh_spill_bytes));
}

size_t Shard::mesh_bytes_under_way() const {
  size_t bytes = 0;
  for (const Outbound& outbound : outbound_) bytes += outbound.bytes_under_way;
  return bytes;
}

std::unique_ptr<ReplyTape> Shard::TakeTape() {
  if (free_tapes_.empty()) return std::make_unique<ReplyTape>();
  std::unique_ptr<ReplyTape> tape = std::move(free_tapes_.back());
  free_tapes_.pop_back();
  return tape;
}

void Shard::ReturnTape(std::unique_ptr<ReplyTape> tape) {
  if (free_tapes_.size() >= kFreeTapes) return;
  tape->Clear();
  free_tapes_.push_back(std::move(tape));
}

ReplyBuilder& Shard::discarded_replies() {
  discarded_.Clear();
  return discarded_;
}

void Shard::QueueNotify(SessionCore& session) {
  if (session.notify_queued) return;
  session.notify_queued = true;
  to_notify_.push_back(IntrusivePtr<SessionCore>::Share(&session));
}

size_t Shard::NotifySessions() {
  // Whoever is told may dispatch, and so make others wait to be told.
  notifying_.swap(to_notify_);
  const size_t told = notifying_.size();
  for (IntrusivePtr<SessionCore>& session : notifying_) session->Notify();
  notifying_.clear();
  return told;
}

// --- Posted tasks ---

void Shard::Post(absl::AnyInvocable<void(Shard&)> task) {
  {
    std::lock_guard lock(posted_mutex_);
    if (!counted_as_busy_) {
      if (!engine_.AddBusyShard()) return;  // Stopped; the task goes with its parameter.
      counted_as_busy_ = true;
    }
    posted_.push_back(std::move(task));
    has_posted_.store(true, std::memory_order_relaxed);
  }
  if (parker_.NeedsWake()) reactor().Wake();
}

size_t Shard::RunPosted() {
  if (!has_posted_.load(std::memory_order_relaxed)) return 0;
  std::vector<absl::AnyInvocable<void(Shard&)>> tasks;
  {
    std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (absl::AnyInvocable<void(Shard&)>& task : tasks) task(*this);
  return tasks.size();
}

// --- The loop ---

size_t Shard::Park() {
  Bump(counters_.parks);
  parker_.PublishParked();
  size_t ran = 0;
  if (!mesh_.pending() && !has_posted_.load(std::memory_order_relaxed)) {
    const int64_t until_tick = next_tick_ns_ - options_.clock->MonotonicNanos();
    const int64_t limit = options_.park_timeout_ms * kNanosPerMilli;
    ran = reactor().Wait(std::clamp<int64_t>(until_tick, 0, limit));
  }
  parker_.ClearParked();
  return ran;
}

size_t Shard::DoArrivals() {
  size_t work = mesh_.Receive(*this) + RunGranted();
  work += RunPosted();
  // Each of these may give the others something to do, but only through this shard itself or
  // commands that clients had sent before: it ends.
  for (size_t more = 1; more > 0; work += more) {
    more = mesh_.Receive(*this) + RunGranted() + NotifySessions();
  }
  return work;
}

bool Shard::RunSlices() {
  bool more = false;
  for (ShardHook* hook : hooks_) more |= hook->DoSlice();
  if (cold_values_ != nullptr) more |= cold_values_->RetryReads();
  more |= keyspace_.Housekeeping(kHousekeepingEntries);
  // Not under the eyes of whoever holds the whole shard: it is to stay as it is.
  if (limits_memory_ && !locks_.whole_shard_wanted()) more |= memory_.Slice();
  if (!paced_appliers_.empty() && !memory_.waits_for_tier()) LetAppliersGoOn();
  if (expiry_due_ && !expiry_paused_ && !locks_.whole_shard_wanted()) {
    if (!time_is_fresh_) RefreshTime();
    expiry_due_ = keyspace_.ExpireSome(kExpiryVisits);
    more = true;  // What it deleted leaves with the next turn's frame.
  }
  return more;
}

bool Shard::TickIfDue(Parked parked) {
  if (parked == Parked::kNo && ++turns_since_tick_check_ < kTurnsBetweenTickChecks) return false;
  turns_since_tick_check_ = 0;
  const int64_t now_ns = options_.clock->MonotonicNanos();
  if (now_ns < next_tick_ns_) return false;
  next_tick_ns_ = now_ns + options_.tick_ms * kNanosPerMilli;
  expiry_due_ = true;
  for (ShardHook* hook : hooks_) hook->OnTick(now_ms());
  return true;
}

int Shard::SlicesEarned(uint64_t since_ticks) const {
  const auto served_ns = static_cast<int64_t>(cycles_.ToNanos(cycles_.Now() - since_ticks));
  return static_cast<int>(std::min<int64_t>(1 + served_ns / kNanosPerSlice, kMaxSlicesInTurn));
}

void Shard::Turn() {
  time_is_fresh_ = false;
  const Parked parked = spin_.ShouldPark(found_work_) ? Parked::kYes : Parked::kNo;
  const uint64_t began_ticks = cycles_.Now();
  if (cold_values_ != nullptr) cold_values_->BeginTurn();
  size_t work = parked == Parked::kYes ? Park() : reactor().Poll();
  work += DoArrivals();
  CloseBatches();
  mesh_.FlushSpills();
  for (ShardHook* hook : hooks_) hook->OnTurnEnd();
  if (cold_values_ != nullptr && !cold_values_->landings().empty()) LandPromotions();
  if (limits_memory_) memory_.Publish();
  WakePeers();
  found_work_ = work > 0 || mesh_.has_spills();
  // A peer does not say when its ring has room again, so we look; it may need this core to make
  // room.
  if (work == 0 && mesh_.has_spills()) std::this_thread::yield();
  // Who has slept owes the background nothing.
  const int slices = parked == Parked::kYes ? 1 : SlicesEarned(began_ticks);
  for (int slice = 0; slice < slices && RunSlices(); ++slice) found_work_ = true;
  found_work_ |= TickIfDue(parked);
  Bump(counters_.turns);
  counters_.commands.store(commands_, std::memory_order_relaxed);
  counters_.mesh_spills.store(mesh_.spills(), std::memory_order_relaxed);
}

void Shard::WakePeers() {
  mesh_.TakeWakes([this](ShardId peer) {
    if (engine_.shard(peer).WakeIfParked()) Bump(counters_.wakes_sent);
  });
}

bool Shard::WakeIfParked() {
  if (!parker_.NeedsWake()) return false;
  reactor().Wake();
  return true;
}

void Shard::Loop() {
  while (!engine_.stopping()) Turn();
  found_work_ = true;
  Turn();  // Without parking: what was posted before the stop, and its replies and frames.
  LetAppliersGoOn();
  for (ShardHook* hook : hooks_) hook->OnStop();
  // Peers may still need this shard for what they have under way.
  constexpr int64_t kDrainWaitNanos = 100'000;
  while (!Drained()) {
    time_is_fresh_ = false;
    size_t work = reactor().Poll() + DoArrivals();
    CloseBatches();
    mesh_.FlushSpills();
    WakePeers();
    if (work == 0) reactor().Wait(kDrainWaitNanos);
  }
}

bool Shard::Drained() {
  if (transactions_under_way_ > 0 || batches_under_way_ > 0 || !open_peers_.empty()) return false;
  if (detached_under_way_ != 0) return false;
  if (cold_values_ != nullptr) {
    cold_values_->RetryReads();
    if (cold_values_->fetches_under_way() > 0) return false;
  }
  {
    std::lock_guard lock(posted_mutex_);
    if (!posted_.empty()) return false;
    if (counted_as_busy_) engine_.RemoveBusyShard();
    counted_as_busy_ = false;
  }
  return engine_.AllDrained();
}

}  // namespace tidemark::cache
