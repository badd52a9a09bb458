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
#include "tools/tideexport/connection.h"
#include "tools/tideexport/resume_file.h"
#include "wal/export/export_consumer.h"

namespace tidemark::tideexport {
namespace {

constexpr int kExitUsage = 64;
constexpr int kReadTimeoutMs = 200;

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
      : arguments_(arguments), start_{.from = arguments.from, .position = {}} {}

  absl::Status LoadResumeFile() {
    if (arguments_.resume_file.empty()) return absl::OkStatus();
    absl::StatusOr<std::optional<wal::ExportPosition>> position =
        LoadPosition(arguments_.resume_file);
    if (!position.ok()) return position.status();
    if (position->has_value()) Remember(**std::move(position));
    return absl::OkStatus();
  }

  absl::Status Serve(Connection& connection) {
    wal::ExportConsumer consumer({.name = arguments_.consumer,
                                  .token = arguments_.token,
                                  .start = start_,
                                  .dialled = arguments_.listen},
                                 NowMs());
    while (true) {
      absl::Status moved = Flush(consumer, connection);
      if (!moved.ok()) return moved;
      if (told_to_leave != 0 || done_) break;
      absl::StatusOr<std::string_view> input = connection.Read(kReadTimeoutMs);
      if (!input.ok()) return input.status();
      moved = Take(consumer, *input);
      if (!moved.ok()) {
        Flush(consumer, connection).IgnoreError();
        return moved;
      }
      consumer.Tick(NowMs());
    }
    consumer.Close("told to leave");
    return Flush(consumer, connection);
  }

  bool streamed() const { return streamed_; }
  int64_t retry_after_ms() const { return retry_after_ms_; }

 private:
  void Remember(wal::ExportPosition position) {
    start_ = {.from = wal::ExportStart::From::kPosition, .position = std::move(position)};
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

  // Prints what came, then says so to the file and the node.
  absl::Status Take(wal::ExportConsumer& consumer, std::string_view input) {
    std::string lines;
    absl::Status ended;
    bool moved = false;
    while (ended.ok()) {
      wal::ExportEvent event;
      const absl::StatusOr<bool> got = consumer.Next(&input, &event, NowMs());
      if (!got.ok()) return got.status();
      if (!*got) break;
      moved = true;
      const absl::Status appended = AppendJson(event, &lines);
      if (!appended.ok()) return appended;
      ended = Judge(event, consumer);
    }
    if (!lines.empty() && (std::fwrite(lines.data(), 1, lines.size(), stdout) != lines.size() ||
                           std::fflush(stdout) != 0)) {
      return absl::FailedPreconditionError("cannot write the changes");
    }
    if (moved && consumer.has_cursor()) {
      if (!arguments_.resume_file.empty() && (start_.from != wal::ExportStart::From::kPosition ||
                                              start_.position != consumer.cursor())) {
        const absl::Status saved = SavePosition(arguments_.resume_file, consumer.cursor());
        if (!saved.ok()) return absl::FailedPreconditionError(saved.message());
      }
      Remember(consumer.cursor());
      consumer.Acknowledge(NowMs());
    }
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
  wal::ExportStart start_;  // Of the next connection.
  wal::ExportPosition target_;
  bool done_ = false;
  bool streamed_ = false;
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
  absl::Status status = exporter.LoadResumeFile();
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
