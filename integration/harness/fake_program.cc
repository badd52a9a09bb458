// A program that does what the harness's tests want of one: fake_program [--say=LINE]
// [--complain=LINE]
// [--exit=STATUS] [--ignore_term]. Without --exit it stays until a signal ends it.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto value = [&](std::string_view flag) -> const char* {
      return argument.substr(0, flag.size()) == flag ? argv[i] + flag.size() : nullptr;
    };
    if (const char* line = value("--say=")) {
      std::puts(line);
      std::fflush(stdout);
    } else if (const char* line = value("--complain=")) {
      std::fprintf(stderr, "%s\n", line);
    } else if (const char* status = value("--exit=")) {
      return std::atoi(status);
    } else if (argument == "--ignore_term") {
      signal(SIGTERM, SIG_IGN);
    } else {
      std::fprintf(stderr, "fake_program: unknown argument %s\n", argv[i]);
      return 64;
    }
  }
  while (true) pause();
}
