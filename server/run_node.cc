#include "server/run_node.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/log/log.h"
#include "base/settings/settings_loader.h"
#include "base/settings/settings_page.h"
#include "base/thread_name.h"
#include "server/node.h"

namespace tidemark::server {
namespace {

// Turns the signals that ask for a stop into RequestStop, on a thread of its own. The constructor
// blocks them for the whole process, so it runs before any other thread starts.
class SignalWatcher {
 public:
  SignalWatcher() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGUSR1);  // Our own: ends the watcher.
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
  }
  void Watch(Node& node) {
    thread_ = std::thread([this, &node] {
      NameThread("signals");
      for (int caught = 0; sigwait(&signals_, &caught) == 0 && caught != SIGUSR1;) {
        if (++caught_ > 1) {
          // The operator asked twice: what is still under way is given up.
          std::fprintf(stderr, "tidemark: stopped at once by a second signal\n");
          _exit(1);
        }
        node.RequestStop(caught == SIGTERM ? "SIGTERM" : "SIGINT");
      }
    });
  }
  ~SignalWatcher() {
    if (!thread_.joinable()) return;
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  sigset_t signals_;
  std::thread thread_;
  int caught_ = 0;
};

int Fail(std::string_view program, int status, std::string_view message) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(program.size()), program.data(),
               static_cast<int>(message.size()), message.data());
  return status;
}

}  // namespace

int RunNode(NodeRole role, int argc, char** argv, wal::Disk& disk) {
  const std::string_view program = role == NodeRole::kPrimary ? "primary" : "replica";
  std::vector<const char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  const auto settings = LoadSettings(
      role, std::span<const char* const>(argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)),
      environment);
  if (!settings.ok()) return Fail(program, kExitUsage, std::string(settings.status().message()));
  if (*settings == nullptr) {
    std::fputs(HelpText(role).c_str(), stdout);
    return 0;
  }

  SignalWatcher signals;
  Node node(**settings, disk);
  signals.Watch(node);
  if (const absl::Status started = node.Start(); !started.ok()) {
    if (started.code() == absl::StatusCode::kCancelled) {
      Log(LogLevel::kInfo, std::string(started.message()));
      return 0;
    }
    const int status = started.code() == absl::StatusCode::kInvalidArgument ? kExitUsage : 1;
    return Fail(program, status, std::string(started.message()));
  }
  if (node.WaitUntilServing()) {
    std::printf("%s\n", node.ReadyLine().c_str());
    std::fflush(stdout);
  }
  const std::string reason = node.WaitForStop();
  Log(LogLevel::kInfo, fmt::format("stopping: {}", reason));
  node.Stop();
  Log(LogLevel::kInfo, "stopped");
  return 0;
}

}  // namespace tidemark::server
