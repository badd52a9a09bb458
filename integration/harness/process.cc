#include "integration/harness/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/check.h"

namespace tidemark::integration {
namespace {

constexpr size_t kTailBytes = 8 << 10;

std::string ScratchPath(std::string_view name, std::string_view stream) {
  static int started = 0;  // Of this test program, which has one thread that starts processes.
  if (stream == "out") ++started;
  return fmt::format("{}{}-{}-{}.{}", testing::TempDir(), name, getpid(), started, stream);
}

std::string BaseName(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void PrintTail(std::string_view name, std::string_view stream, const std::string& text) {
  const size_t from = text.size() <= kTailBytes ? 0 : text.find('\n', text.size() - kTailBytes);
  std::cerr << fmt::format("--- {} of {} (its last lines)\n{}\n", stream, name,
                           text.substr(std::min(from, text.size())));
}

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void Exec(char* const* arguments, int output, int errors, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // It died before the line above.
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  execvp(arguments[0], arguments);
  _exit(127);
}

}  // namespace

std::string Runfile(std::string_view path) {
  const char* root = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  if (root == nullptr || workspace == nullptr) return std::string(path);
  return fmt::format("{}/{}/{}", root, workspace, path);
}

void PrintTo(const Exit& exit, std::ostream* out) {
  if (exit.signal != 0) {
    *out << "killed by signal " << exit.signal;
  } else {
    *out << "exited with " << exit.status;
  }
}

Process::Process(const std::vector<std::string>& command)
    : name_(BaseName(command.at(0))),
      output_path_(ScratchPath(name_, "out")),
      errors_path_(ScratchPath(name_, "err")) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
  const int output = open(output_path_.c_str(), flags, 0644);
  const int errors = open(errors_path_.c_str(), flags, 0644);
  CHECK(output >= 0 && errors >= 0);
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  const pid_t parent = getpid();
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) Exec(arguments.data(), output, errors, parent);
  close(output);
  close(errors);
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  CHECK(pid_fd_ >= 0);
}

Process::~Process() {
  if (!exit_) {
    Signal(SIGKILL);
    WaitExit(kPatience);
  }
  close(pid_fd_);
  if (testing::Test::HasFailure()) {
    std::ostringstream how;
    if (exit_) PrintTo(*exit_, &how);
    std::cerr << fmt::format("--- {} (process {}) {}\n", name_, pid_, how.str());
    PrintTail(name_, "stdout", Output());
    PrintTail(name_, "stderr", Errors());
  }
}

void Process::Signal(int signal) {
  if (exit_) return;
  kill(pid_, signal);
  if (signal != SIGSTOP) return;
  siginfo_t stopped;
  waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT);
}

std::optional<Exit> Process::WaitExit(Duration deadline) {
  if (exit_) return exit_;
  pollfd ended = {.fd = pid_fd_, .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, static_cast<int>(deadline.count())) != 1) return std::nullopt;
  int status = 0;
  CHECK(waitpid(pid_, &status, 0) == pid_);
  exit_ = WIFSIGNALED(status) ? KilledBy(WTERMSIG(status)) : ExitedWith(WEXITSTATUS(status));
  return exit_;
}

std::string Process::Output() const { return ReadAll(output_path_); }

std::string Process::Errors() const { return ReadAll(errors_path_); }

std::optional<std::string> Process::FirstLine() const {
  const std::string output = Output();
  const size_t end = output.find('\n');
  if (end == std::string::npos) return std::nullopt;
  return output.substr(0, end);
}

int64_t Process::ResidentBytes() const {
  std::ifstream statm(fmt::format("/proc/{}/statm", pid_));
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return statm ? resident_pages * sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace tidemark::integration
