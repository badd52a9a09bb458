// Process runs a program for a test: its output goes to files under the test's scratch directory,
// and it does not outlive the test, however the test ends.
//
//   Process cli({Runfile("server/primary"), "--nonsense"});
//   EXPECT_EQ(cli.WaitExit(kPatience), ExitedWith(64));
//
// If the test has failed, the destructor prints the last lines of the output.
//
// Threading: one thread, which must outlive the process: the kernel kills the process when the
// thread that started it ends.

#ifndef TIDEMARK_INTEGRATION_HARNESS_PROCESS_H_
#define TIDEMARK_INTEGRATION_HARNESS_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sanitizers.h"
#include "integration/harness/eventually.h"

namespace tidemark::integration {

// How much a node's resident memory may vary although it keeps nothing: what its allocator holds
// back. Address sanitizer keeps 256 MiB of what was freed (its "quarantine"), so as to notice a use
// of it.
inline constexpr int64_t kAllocatorSlackBytes = int64_t{kAddressSanitizer ? 384 : 48} << 20;

// The path of a file that the test's BUILD target lists in `data`, by its path in the workspace.
std::string Runfile(std::string_view path);

// How a process ended: the status that it returned, or the signal that killed it.
struct Exit {
  int status = 0;
  int signal = 0;
  friend bool operator==(const Exit&, const Exit&) = default;
};
constexpr Exit ExitedWith(int status) { return {.status = status}; }
constexpr Exit KilledBy(int signal) { return {.signal = signal}; }
void PrintTo(const Exit& exit, std::ostream* out);

class Process {
 public:
  // Starts `command[0]` (a path, or a name to look up in PATH) with the rest as arguments. A
  // program that cannot be started exits with 127.
  explicit Process(const std::vector<std::string>& command);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  // Kills it, if it still runs, and waits for its end.
  ~Process();

  pid_t pid() const { return pid_; }
  // Sends a signal. After SIGSTOP it returns only once the process stands still.
  void Signal(int signal);

  // How it ended; nothing if it still runs after `deadline`.
  std::optional<Exit> WaitExit(Duration deadline);

  // What it has written so far.
  std::string Output() const;
  std::string Errors() const;
  // The first line of Output(), without its newline; nothing until it is complete.
  std::optional<std::string> FirstLine() const;

  // Memory that it occupies now, in bytes; 0 if it is gone.
  int64_t ResidentBytes() const;

 private:
  const std::string name_;  // For messages: the program's base name.
  const std::string output_path_;
  const std::string errors_path_;
  pid_t pid_ = -1;
  int pid_fd_ = -1;  // Readable once the process has ended.
  std::optional<Exit> exit_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_PROCESS_H_
