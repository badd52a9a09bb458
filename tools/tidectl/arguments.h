// The command line of tidectl.

#ifndef TIDEMARK_TOOLS_TIDECTL_ARGUMENTS_H_
#define TIDEMARK_TOOLS_TIDECTL_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tidemark::tidectl {

struct Address {
  std::string host;
  int port = 0;

  std::string text() const;
};

// HOST:PORT or [HOST]:PORT.
std::optional<Address> ParseAddress(std::string_view text);

enum class Command : uint8_t { kHelp, kStatus, kVerify, kTop };

struct Arguments {
  Command command = Command::kHelp;
  std::vector<Address> nodes;
  bool once = false;       // Print one table and leave.
  double interval_s = 1;   // Between two tables.
  double deadline_s = 30;  // How long `verify` waits for the nodes to be even.
  std::string password;
};

// Without the program's name. InvalidArgument in one line.
absl::StatusOr<Arguments> ParseArguments(std::span<const char* const> words);

std::string_view UsageText();

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_ARGUMENTS_H_
