#include "wal/export/export_hub.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/link/refusal.h"
#include "fmt/format.h"

namespace tidemark::wal {
namespace {

constexpr uint32_t kRetrySoonMs = 1'000;
constexpr uint32_t kRetryLateMs = 30'000;

ConsumerCounters CountersOf(const ExportSession& session) {
  const bool lost = session.goodbye() == wire::Goodbye::POSITION_LOST ||
                    session.refusal() == wire::Refuse::POSITION_LOST;
  return {.connects = session.accepted() ? 1u : 0u,
          .frames_sent = session.counters().frames,
          .records_sent = session.counters().records,
          .bytes_sent = session.counters().bytes,
          .snapshots_sent = session.counters().chunks > 0 && session.snapshot_written() ? 1u : 0u,
          .acks = session.acks(),
          .write_failures = session.timed_out_writing() ? 1u : 0u,
          .silences = session.goodbye() == wire::Goodbye::SILENCE ? 1u : 0u,
          .positions_lost = lost ? 1u : 0u};
}

void Add(const ConsumerCounters& from, ConsumerCounters* to) {
  to->connects += from.connects;
  to->frames_sent += from.frames_sent;
  to->records_sent += from.records_sent;
  to->bytes_sent += from.bytes_sent;
  to->snapshots_sent += from.snapshots_sent;
  to->acks += from.acks;
  to->write_failures += from.write_failures;
  to->silences += from.silences;
  to->positions_lost += from.positions_lost;
}

ConsumerStatus::State StateOf(const ExportSession& session) {
  switch (session.state()) {
    case ExportSession::State::kSnapshot:
      return ConsumerStatus::State::kSnapshot;
    case ExportSession::State::kStreaming:
      return ConsumerStatus::State::kStreaming;
    default:
      return ConsumerStatus::State::kClosing;
  }
}

}  // namespace

ExportHub::ExportHub(const Options& options, ExportSource* source, const Clock* clock)
    : options_(options), source_(source), clock_(clock), table_(options.max_consumers) {}

// --- Places in the log ---

absl::Status ExportHub::LoadConsumers(std::string_view bytes) {
  const absl::Status loaded = table_.Load(bytes);
  if (!loaded.ok()) return loaded;
  for (const auto& [name, entry] : table_.entries()) {
    if (entry.segment != 0) source_->Keep(name, entry.segment);
  }
  return absl::OkStatus();
}

std::optional<std::string> ExportHub::TakeConsumers() {
  if (!table_.TakeDirty()) return std::nullopt;
  return table_.Serialize();
}

absl::Status ExportHub::Forget(const std::string& consumer) {
  if (Find(consumer) != nullptr) {
    return absl::FailedPreconditionError(fmt::format("consumer {} is connected", consumer));
  }
  if (!table_.Forget(consumer)) {
    return absl::NotFoundError(fmt::format("there is no consumer {}", consumer));
  }
  source_->Forget(consumer);
  if (const auto it = counters_.find(consumer); it != counters_.end()) {
    wal::Add(it->second, &forgotten_);
    counters_.erase(it);
  }
  return absl::OkStatus();
}

void ExportHub::OnPosition(const std::string& consumer, const ExportPosition& position,
                           uint64_t segment) {
  table_.Set(consumer, {.acked = position, .segment = segment, .seen_ms = clock_->UnixMillis()});
}

// --- Connections ---

ExportSession* ExportHub::Add(std::string peer, bool dialled, int64_t now_ms) {
  const auto waiting =
      std::count_if(connections_.begin(), connections_.end(),
                    [](const Connection& connection) { return !connection.session->accepted(); });
  if (stopping_ || static_cast<size_t>(waiting) >= options_.max_waiting) {
    ++rejected_;
    return nullptr;
  }
  ExportSession::Options options = options_.session;
  options.dialled = dialled;
  connections_.push_back(
      {.peer = std::move(peer),
       .session = std::make_unique<ExportSession>(options, this, source_, now_ms)});
  return connections_.back().session.get();
}

void ExportHub::Remove(ExportSession* session) {
  const auto it = std::find_if(
      connections_.begin(), connections_.end(),
      [&](const Connection& connection) { return connection.session.get() == session; });
  CHECK(it != connections_.end() && session->closed());
  if (session->accepted()) {
    ++accepted_;
    if (stopping_) left_stopping_[session->consumer()] = session->exported();
  } else {
    ++rejected_;
    if (session->refusal() == wire::Refuse::TOKEN) ++rejected_token_;
  }
  // Counters of names that are not known would grow with every name that is tried.
  wal::Add(CountersOf(*session), table_.Find(session->consumer()) != nullptr
                                     ? &counters_[session->consumer()]
                                     : &forgotten_);
  connections_.erase(it);
}

std::optional<wire::Refuse> ExportHub::Admit(const std::string& consumer) {
  if (stopping_) {
    return MakeRefusal<wire::Refuse>(wire::Refuse::STOPPING, "the node is shutting down",
                                     kRetrySoonMs);
  }
  if (const Connection* other = Find(consumer)) {
    return MakeRefusal<wire::Refuse>(
        wire::Refuse::DUPLICATE_NAME,
        fmt::format("consumer {} is connected from {}", consumer, other->peer), kRetrySoonMs);
  }
  if (!table_.HasRoomFor(consumer) && !ForgetOneLost()) {
    return MakeRefusal<wire::Refuse>(
        wire::Refuse::TOO_MANY_CONSUMERS,
        fmt::format("this node keeps the places of {} consumers; forget one that is gone for good",
                    table_.entries().size()),
        kRetryLateMs);
  }
  return std::nullopt;
}

// A place whose log is gone keeps nothing for its consumer, which is told so whoever asks.
bool ExportHub::ForgetOneLost() {
  for (const auto& [name, entry] : table_.entries()) {
    if (source_->Lost(name) && Forget(std::string(name)).ok()) return true;
  }
  return false;
}

const ExportHub::Connection* ExportHub::Find(std::string_view consumer) const {
  for (const Connection& connection : connections_) {
    const ExportSession& session = *connection.session;
    if (session.accepted() && !session.closed() && session.consumer() == consumer) {
      return &connection;
    }
  }
  return nullptr;
}

void ExportHub::Tick(int64_t now_ms) {
  for (const Connection& connection : connections_) connection.session->Tick(now_ms);
}

int64_t ExportHub::NextDeadlineMs() const {
  int64_t deadline = std::numeric_limits<int64_t>::max();
  for (const Connection& connection : connections_) {
    deadline = std::min(deadline, connection.session->NextDeadlineMs());
  }
  return deadline;
}

// --- Stopping ---

void ExportHub::BeginStop() {
  stopping_ = true;
  for (const Connection& connection : connections_) {
    ExportSession& session = *connection.session;
    if (session.streaming()) {
      session.BeginDrain();
    } else {
      session.Close(wire::Goodbye::STOPPING, "the node is shutting down");
    }
  }
}

std::vector<UnsentSpan> ExportHub::Unsent() const {
  auto sent = left_stopping_;
  for (const Connection& connection : connections_) {
    const ExportSession& session = *connection.session;
    if (session.accepted()) sent[session.consumer()] = session.exported();
  }
  std::vector<UnsentSpan> unsent;
  const ExportPosition durable = source_->Durable();
  for (const auto& [consumer, position] : sent) {
    // Of another history: it has not even begun with this one.
    const bool comparable = position.history == durable.history;
    for (size_t i = 0; i < durable.sequences.size(); ++i) {
      const Sequence at = comparable ? position.sequences[i] : Sequence();
      if (at >= durable.sequences[i]) continue;
      unsent.push_back({.consumer = consumer,
                        .history = durable.history,
                        .range = {.shard = ShardId(static_cast<uint16_t>(i)),
                                  .first = Next(at),
                                  .last = durable.sequences[i]}});
    }
  }
  return unsent;
}

// --- Seeing it ---

ConsumerStatus ExportHub::StatusOf(const std::string& name, const ConsumerTable::Entry& entry,
                                   const ExportPosition& durable) const {
  ConsumerStatus status;
  status.name = name;
  status.acked = entry.acked;
  status.segment = entry.segment;
  status.seen_ms = entry.seen_ms;
  status.lost = source_->Lost(name);
  if (const auto it = counters_.find(name); it != counters_.end()) status.counters = it->second;
  if (const Connection* connection = Find(name)) {
    const ExportSession& session = *connection->session;
    status.state = StateOf(session);
    status.peer = connection->peer;
    status.exported = session.exported();
    status.queue_bytes = session.output_bytes();
    wal::Add(CountersOf(session), &status.counters);
  }
  if (entry.acked.history == durable.history) {
    for (size_t i = 0; i < durable.sequences.size(); ++i) {
      const uint64_t acked = entry.acked.sequences[i].value();
      status.lag_records += std::max(durable.sequences[i].value(), acked) - acked;
    }
  }
  return status;
}

ExportStatus ExportHub::Status() const {
  ExportStatus status;
  status.durable = source_->Durable();
  status.exported.history = status.durable.history;
  status.total = forgotten_;
  status.accepted = accepted_;
  status.rejected = rejected_;
  status.rejected_token = rejected_token_;
  for (const auto& [name, entry] : table_.entries()) {
    status.consumers.push_back(StatusOf(name, entry, status.durable));
    wal::Add(status.consumers.back().counters, &status.total);
  }
  for (const Connection& connection : connections_) {
    const ExportSession& session = *connection.session;
    if (!session.accepted()) continue;
    ++status.accepted;
    if (!session.streaming()) continue;
    ++status.active;
    // A consumer that is still in an earlier history has been sent nothing of this one.
    Watermarks sent = session.exported().sequences;
    if (session.exported().history != status.durable.history || !session.snapshot_written()) {
      sent.assign(status.durable.sequences.size(), Sequence());
    }
    if (status.exported.sequences.empty()) status.exported.sequences = sent;
    for (size_t i = 0; i < sent.size(); ++i) {
      status.exported.sequences[i] = std::min(status.exported.sequences[i], sent[i]);
    }
  }
  return status;
}

}  // namespace tidemark::wal
