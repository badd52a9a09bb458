// tideexport prints a node's durable changes as JSON lines (docs/formats/export.md).
//
// Exit status: 0 when told to leave; 1 if the node refuses, or a position is lost; 64 for bad
// arguments.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "base/link/backoff.h"
#include "tools/tideexport/arguments.h"
#include "tools/tideexport/change_json.h"
#include "tools/tideexport/change_store.h"
#include "tools/tideexport/connection.h"
#include "wal/export/export_consumer.h"

namespace tidemark::tideexport {
namespace {

constexpr int kExitUsage = 64;
constexpr int kReadTimeoutMs = 200;
// While more waits to be read, a position is stored for so many bytes of lines: each costs the disk
// some flushes.
constexpr uint64_t kCommitBytes = 4 << 20;

volatile std::sig_atomic_t told_to_leave = 0;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Tell(const absl::Status& status) {
  std::fprintf(stderr, "tideexport: %s\n", std::string(status.message()).c_str());
}

// How a connection ended: FailedPrecondition ends the program, any other error is tried again, OK
// means that we were told to leave.
class Exporter {
 public:
  explicit Exporter(const Arguments& arguments)
      : arguments_(arguments),
        store_({.output_file = arguments.output_file, .resume_file = arguments.resume_file}) {}

  absl::Status Open() { return store_.Open(); }

  absl::Status Serve(Connection& connection) {
    // Of a snapshot that broke off, say: it begins anew.
    if (const absl::Status back = store_.Rollback(); !back.ok()) return back;
    wal::ExportConsumer consumer({.name = arguments_.consumer,
                                  .token = arguments_.token,
                                  .start = Start(),
                                  .dialled = arguments_.listen},
                                 NowMs());
    while (true) {
      absl::Status moved = Flush(consumer, connection);
      if (!moved.ok()) return moved;
      if (told_to_leave != 0 || done_) break;
      absl::StatusOr<std::string_view> input = connection.Read(kReadTimeoutMs);
      if (!input.ok()) return input.status();
      moved = Take(consumer, *input);
      if (moved.ok() && Pauses(*input)) moved = Commit(consumer);
      if (!moved.ok()) {
        store_.Commit().IgnoreError();  // `moved` says more.
        Flush(consumer, connection).IgnoreError();
        return moved;
      }
      consumer.Tick(NowMs());
      if (consumer.silent(NowMs())) {
        Commit(consumer).IgnoreError();
        return absl::UnavailableError("nothing was heard of the node for too long");
      }
    }
    if (const absl::Status committed = Commit(consumer); !committed.ok()) return committed;
    consumer.Close("told to leave");
    return Flush(consumer, connection);
  }

  bool streamed() const { return streamed_; }
  int64_t retry_after_ms() const { return retry_after_ms_; }

 private:
  wal::ExportStart Start() const {
    if (!store_.position()) return {.from = arguments_.from, .position = {}};
    return {.from = wal::ExportStart::From::kPosition, .position = *store_.position()};
  }

  static absl::Status Flush(wal::ExportConsumer& consumer, Connection& connection) {
    std::vector<std::string_view> pieces;
    for (consumer.Gather(1, &pieces); !pieces.empty(); consumer.Gather(1, &pieces)) {
      const absl::Status written = connection.WriteAll(pieces[0]);
      if (!written.ok()) return written;
      consumer.OnWritten(pieces[0].size());
      pieces.clear();
    }
    return absl::OkStatus();
  }

  // Whether this is a good moment to store the position: nothing more waits, or much is unstored.
  bool Pauses(std::string_view input) const {
    return input.size() < Connection::kReadBytes || store_.uncommitted_bytes() >= kCommitBytes;
  }

  // Stores how far we came, and only then tells the node, which may forget it.
  absl::Status Commit(wal::ExportConsumer& consumer) {
    if (!dirty_ || !consumer.has_cursor()) return absl::OkStatus();
    dirty_ = false;
    if (const absl::Status stored = store_.Commit(); !stored.ok()) return stored;
    consumer.Acknowledge(NowMs());
    return absl::OkStatus();
  }

  // Prints what came.
  absl::Status Take(wal::ExportConsumer& consumer, std::string_view input) {
    std::string lines;
    absl::Status ended;
    // Whether the lines lead to a position: a goodbye right behind them does not take it away.
    bool has_cursor = false;
    while (ended.ok()) {
      wal::ExportEvent event;
      const absl::StatusOr<bool> got = consumer.Next(&input, &event, NowMs());
      if (!got.ok()) return got.status();
      if (!*got) break;
      dirty_ = true;
      has_cursor = has_cursor || consumer.has_cursor();
      const absl::Status appended = AppendJson(event, &lines);
      if (!appended.ok()) return appended;
      ended = Judge(event, consumer);
    }
    if (const absl::Status written = store_.Append(lines); !written.ok()) return written;
    if (has_cursor) store_.Keep(consumer.cursor());
    return ended;
  }

  absl::Status Judge(const wal::ExportEvent& event, const wal::ExportConsumer& consumer) {
    if (std::holds_alternative<wal::StreamBegins>(event)) {
      streamed_ = true;
      retry_after_ms_ = 0;
    } else if (const auto* durable = std::get_if<wal::DurableMoved>(&event)) {
      if (arguments_.until_current) NoteDurable(durable->durable, consumer);
    } else if (const auto* refused = std::get_if<wal::StreamRefused>(&event)) {
      return Refused(*refused);
    } else if (const auto* ended = std::get_if<wal::StreamEnded>(&event)) {
      const std::string text = fmt::format("the node ended the stream ({}): {}",
                                           wal::wire::Goodbye::Code_Name(ended->code), ended->text);
      if (ended->code == wal::wire::Goodbye::POSITION_LOST) {
        return absl::FailedPreconditionError(text + Ranges(ended->lost));
      }
      return absl::UnavailableError(text);
    }
    return absl::OkStatus();
  }

  // The first heartbeat says how far "current" is.
  void NoteDurable(const wal::ExportPosition& durable, const wal::ExportConsumer& consumer) {
    if (target_.sequences.empty()) target_ = durable;
    done_ = consumer.has_cursor() && consumer.cursor().history == target_.history &&
            wal::Reaches(consumer.cursor().sequences, target_.sequences);
  }

  absl::Status Refused(const wal::StreamRefused& refused) {
    using Refuse = wal::wire::Refuse;
    retry_after_ms_ = refused.retry_after_ms;
    const std::string text =
        fmt::format("the node refuses ({}): {}{}", Refuse::Code_Name(refused.code), refused.text,
                    Ranges(refused.lost));
    switch (refused.code) {
      // These mend themselves.
      case Refuse::NO_HELLO:
      case Refuse::DUPLICATE_NAME:
      case Refuse::NO_SNAPSHOT:
      case Refuse::STOPPING:
      case Refuse::UNAVAILABLE:
        return absl::UnavailableError(text);
      default:
        return absl::FailedPreconditionError(text);
    }
  }

  static std::string Ranges(const std::vector<wal::LostRange>& lost) {
    std::string text;
    for (const wal::LostRange& range : lost) {
      text += fmt::format("; lost of shard {}: {} to {}", range.shard.value(), range.first.value(),
                          range.last.value());
    }
    return text;
  }

  const Arguments& arguments_;
  ChangeStore store_;
  wal::ExportPosition target_;
  bool done_ = false;
  bool streamed_ = false;
  bool dirty_ = false;  // Something came since the last Commit().
  int64_t retry_after_ms_ = 0;
};

absl::StatusOr<std::unique_ptr<Connection>> Connect(const Arguments& arguments, int listener) {
  return arguments.listen ? Connection::Accept(listener)
                          : Connection::Dial(arguments.host, arguments.port);
}

int Run(std::span<const char* const> words) {
  absl::StatusOr<Arguments> arguments = ParseArguments(words);
  if (!arguments.ok()) {
    Tell(arguments.status());
    return kExitUsage;
  }
  if (arguments->help) {
    std::fputs(std::string(UsageText()).c_str(), stdout);
    return 0;
  }
  const char* token = std::getenv("TIDEEXPORT_TOKEN");
  if (arguments->token.empty() && token != nullptr) arguments->token = token;

  Exporter exporter(*arguments);
  absl::Status status = exporter.Open();
  absl::StatusOr<int> listener = -1;
  if (status.ok() && arguments->listen) {
    listener = Connection::Listen(arguments->host, arguments->port);
    status = listener.status();
  }
  if (!status.ok()) {
    Tell(status);
    return 1;
  }
  Backoff backoff({.first_ms = 100, .longest_ms = 5'000}, std::random_device()());
  while (told_to_leave == 0) {
    const absl::StatusOr<std::unique_ptr<Connection>> connection = Connect(*arguments, *listener);
    status = connection.ok() ? exporter.Serve(**connection) : connection.status();
    if (status.ok()) return 0;
    if (told_to_leave != 0) break;
    Tell(status);
    if (status.code() != absl::StatusCode::kUnavailable) return 1;
    if (exporter.streamed()) backoff.Reset();
    const int64_t wait_ms = std::max(backoff.NextMs(), exporter.retry_after_ms());
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
  }
  return 0;
}

}  // namespace
}  // namespace tidemark::tideexport

int main(int argc, char** argv) {
  struct sigaction leave = {};
  leave.sa_handler = [](int) { tidemark::tideexport::told_to_leave = 1; };
  sigaction(SIGINT, &leave, nullptr);
  sigaction(SIGTERM, &leave, nullptr);
  return tidemark::tideexport::Run(
      std::span<const char* const>(argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)));
}
