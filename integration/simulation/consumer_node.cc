#include "integration/simulation/consumer_node.h"

#include <utility>
#include <variant>

#include "fmt/format.h"

namespace tidemark::simulation {
namespace {

constexpr int64_t kTickUs = 20'000;
constexpr int64_t kStoreEveryUs = 30'000;
constexpr int64_t kSilenceUs = 250'000;  // Five of the node's heartbeats.

using wal::ExportStart;

}  // namespace

ConsumerNode::ConsumerNode(NodeTime* time, Ledger* ledger, std::string token, Dial dial)
    : time_(time), ledger_(ledger), token_(std::move(token)), dial_(std::move(dial)) {
  events_.emplace(time_);
  Tick();
  Store();
}

void ConsumerNode::Crash(bool loses_store) {
  events_.emplace(time_);
  if (connection_ != nullptr) connection_->Close(0);
  connection_ = nullptr;
  consumer_ = nullptr;
  if (loses_store) stored_ = Copy();
  needs_snapshot_ = loses_store;
  live_ = stored_;
  Tick();
  Store();
}

void ConsumerNode::Stop(int64_t for_us) {
  time_->StopUntil(time_->now_us() + for_us);
  if (connection_ == nullptr) return;
  connection_->SetReading(0, false);
  events_->In(0, [this] {
    if (connection_ != nullptr) connection_->SetReading(0, true);
  });
}

void ConsumerNode::Tick() {
  if (connection_ != nullptr && time_->now_us() - heard_us_ > kSilenceUs) Disconnect();
  if (connection_ == nullptr) {
    Connect();
  } else {
    consumer_->Tick(time_->now_ms());
    Write();
  }
  events_->In(kTickUs, [this] { Tick(); });
}

void ConsumerNode::Store() {
  // Half a snapshot is no state to come back to.
  if (live_.cursor.history != HistoryId()) {
    stored_ = live_;
    if (connection_ != nullptr && consumer_->has_cursor()) {
      consumer_->Acknowledge(time_->now_ms());
      Write();
    }
  }
  events_->In(kStoreEveryUs, [this] { Store(); });
}

ExportStart ConsumerNode::StartOfStream() const {
  if (needs_snapshot_) return {.from = ExportStart::From::kSnapshot, .position = {}};
  if (live_.cursor.history == HistoryId()) {
    return {.from = ExportStart::From::kBeginning, .position = {}};
  }
  return {.from = ExportStart::From::kPosition, .position = live_.cursor};
}

void ConsumerNode::Connect() {
  Dialled dialled = dial_();
  connection_ = std::move(dialled.connection);
  if (connection_ == nullptr) return;
  node_ = std::move(dialled.node);
  if (live_.cursor.history == HistoryId()) live_ = stored_;  // Whatever half came before is void.
  ++counts_.connections;
  heard_us_ = time_->now_us();
  consumer_ = std::make_unique<wal::ExportConsumer>(
      wal::ExportConsumer::Options{.name = "billing", .token = token_, .start = StartOfStream()},
      time_->now_ms());
  const auto guarded = [this, connection = connection_.get()](auto handle) {
    return [this, connection, handle](auto... arguments) {
      if (connection_.get() == connection) handle(arguments...);
    };
  };
  AttachNode(*events_, *connection_, 0,
             {.on_bytes = guarded([this](std::string_view bytes) { OnBytes(bytes); }),
              .on_writable = guarded([this] { Write(); }),
              .on_closed = guarded([this] { connection_ = nullptr; })});
  Write();
}

void ConsumerNode::Disconnect() {
  // Its goodbye, if it has one.
  Write();
  std::exchange(connection_, nullptr)->Close(0);
}

void ConsumerNode::OnBytes(std::string_view bytes) {
  heard_us_ = time_->now_us();
  while (true) {
    wal::ExportEvent event;
    const absl::StatusOr<bool> got = consumer_->Next(&bytes, &event, time_->now_ms());
    // A damaged stream costs a reconnect; what came before was whole.
    if (!got.ok()) {
      last_end_ = got.status().ToString();
      return Disconnect();
    }
    if (!*got) break;
    if (!Take(event)) return Disconnect();
  }
  Write();
}

void ConsumerNode::Write() {
  WriteAll(
      *connection_, 0, [&](std::vector<std::string_view>* pieces) { consumer_->Gather(4, pieces); },
      [&](size_t written) { consumer_->OnWritten(written); });
}

void ConsumerNode::TakeChanges(const wal::Changes& changes) {
  const Frame& frame = *changes.frame;
  ledger_->OnExported(node_, frame, frame.last_sequence());
  const std::string fault =
      ApplyFrame(frame, Next(changes.skip_through), frame.last_sequence(), &live_.contents);
  // A flush cuts a snapshot short, which then lacks keys that are gone with the flush.
  const bool cut_short = live_.of_snapshot && ledger_->FlushFollows(frame.history(), frame.shard(),
                                                                    frame.first_sequence());
  if (!fault.empty() && !cut_short) ledger_->Fail("exported: " + fault);
  counts_.records += frame.record_count();
  live_.cursor = consumer_->cursor();
}

// False: the stream is over.
bool ConsumerNode::Take(const wal::ExportEvent& event) {
  if (const auto* begins = std::get_if<wal::StreamBegins>(&event)) {
    if (begins->snapshot || live_.cursor.history == HistoryId()) live_ = Copy();
    live_.of_snapshot |= begins->snapshot;
    if (!begins->snapshot) live_.cursor = begins->position;
  } else if (const auto* changes = std::get_if<wal::Changes>(&event)) {
    TakeChanges(*changes);
  } else if (const auto* chunk = std::get_if<wal::SnapshotChunk>(&event)) {
    ApplyFrame(*chunk->frame, Sequence(), chunk->frame->last_sequence(), &live_.contents);
  } else if (std::holds_alternative<wal::SnapshotComplete>(event)) {
    ++counts_.snapshots;
    needs_snapshot_ = false;
    live_.cursor = consumer_->cursor();
  } else if (const auto* changed = std::get_if<wal::HistoryChanged>(&event)) {
    ++counts_.history_changes;
    live_.cursor = changed->position;
  } else if (const auto* refused = std::get_if<wal::StreamRefused>(&event)) {
    using Refuse = wal::wire::Refuse;
    last_end_ = "refused: " + refused->text;
    if (refused->code == Refuse::POSITION_LOST) {
      ++counts_.positions_lost;
      needs_snapshot_ = true;
    }
    if (refused->code == Refuse::NO_SNAPSHOT) needs_snapshot_ = false;
    if (refused->code == Refuse::FOREIGN_HISTORY) {
      // It begins anew, as its operator would have it.
      ++counts_.foreign;
      live_ = stored_ = Copy();
      needs_snapshot_ = true;
      if (!may_be_foreign_)
        ledger_->Fail(fmt::format("the feed does not know its own position: {}", refused->text));
    }
    return false;
  } else if (const auto* ended = std::get_if<wal::StreamEnded>(&event)) {
    last_end_ = "goodbye: " + ended->text;
    if (ended->code == wal::wire::Goodbye::POSITION_LOST) {
      ++counts_.positions_lost;
      needs_snapshot_ = true;
    }
    return false;
  }
  return true;
}

}  // namespace tidemark::simulation
