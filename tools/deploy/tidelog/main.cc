// tidelog runs a program and keeps what it writes to stderr in a file of bounded size.
//
//   tidelog --log=PATH --bytes=N --files=N -- PROGRAM ARGUMENT...
//
// It becomes the program: the process id that was started is the program's, and so is its exit
// status. A child of its own reads the other end of stderr until the program has closed it. If that
// child is killed, the program goes on without a log.
//
// Exit status: the program's; 64 for bad arguments, 1 if the log cannot be opened, 127 if the
// program cannot be run.

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "tools/deploy/tidelog/rotating_file.h"

namespace tidemark::tidelog {
namespace {

constexpr int kExitUsage = 64;
constexpr int kExitNotRun = 127;  // As a shell's.

int Fail(int status, std::string_view what) {
  std::fputs(fmt::format("tidelog: {}\n", what).c_str(), stderr);
  return status;
}

template <typename Int>
bool ParseNumber(std::string_view text, Int least, Int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= least;
}

bool ParseFlag(std::string_view flag, RotatingFile::Options& options) {
  const size_t equals = flag.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = flag.substr(0, equals), value = flag.substr(equals + 1);
  if (name == "--log") options.path = value;
  if (name == "--bytes") return ParseNumber<int64_t>(value, 1, options.max_bytes);
  if (name == "--files") return ParseNumber(value, 1, options.kept_files);
  return name == "--log" && !value.empty();
}

// Reads until the program is gone.
void Keep(int from, RotatingFile& file) {
  char buffer[16384];
  while (true) {
    const ssize_t got = read(from, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    file.Write(std::string_view(buffer, static_cast<size_t>(got)));
  }
}

// Starts the reader as nobody's child, so that the program need not wait for it.
bool StartKeeper(int from, int to, RotatingFile& file) {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    if (const pid_t keeper = fork(); keeper != 0) _exit(keeper < 0 ? 1 : 0);
    // Ends when the program does, and not by a signal that is meant for it. Its copy of the pipe's
    // other end and of the program's stdout must not outlive it.
    for (int signal_number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(signal_number, SIG_IGN);
    close(to);
    if (const int null = open("/dev/null", O_RDWR); null >= 0) {
      for (int fd : {0, 1, 2}) dup2(null, fd);
    }
    Keep(from, file);
    _exit(0);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

int Run(std::span<char*> words) {
  RotatingFile::Options options;
  size_t i = 0;
  for (; i < words.size() && std::string_view(words[i]) != "--"; ++i) {
    if (!ParseFlag(words[i], options)) return Fail(kExitUsage, fmt::format("bad '{}'", words[i]));
  }
  if (options.path.empty() || i + 1 >= words.size()) {
    return Fail(kExitUsage, "usage: tidelog --log=PATH --bytes=N --files=N -- PROGRAM ARGUMENT...");
  }
  RotatingFile file(options);
  if (absl::Status opened = file.Open(); !opened.ok()) {
    return Fail(1, std::string(opened.message()));
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0 || !StartKeeper(ends[0], ends[1], file)) {
    return Fail(1, std::strerror(errno));
  }
  dup2(ends[1], STDERR_FILENO);
  execv(words[i + 1], &words[i + 1]);  // argv ends with a null pointer.
  return Fail(kExitNotRun, fmt::format("{}: {}", words[i + 1], std::strerror(errno)));
}

}  // namespace
}  // namespace tidemark::tidelog

int main(int argc, char** argv) {
  return tidemark::tidelog::Run(std::span<char*>(argv, static_cast<size_t>(argc)).subspan(1));
}
