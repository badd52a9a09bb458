// The command line of tideexport.

#ifndef TIDEMARK_TOOLS_TIDEEXPORT_ARGUMENTS_H_
#define TIDEMARK_TOOLS_TIDEEXPORT_ARGUMENTS_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "wal/export/export_source.h"

namespace tidemark::tideexport {

struct Arguments {
  bool help = false;
  std::string host;
  std::string port;
  bool listen = false;  // The node dials us, at host and port.
  std::string consumer = "tideexport";
  std::string token;
  std::string resume_file;  // Empty: none.
  std::string output_file;  // Empty: standard output. Else there is a resume file.
  wal::ExportStart::From from = wal::ExportStart::From::kNow;
  bool until_current = false;  // Leave once what is durable now has been printed.
};

// Without the program's name. InvalidArgument in one line.
absl::StatusOr<Arguments> ParseArguments(std::span<const char* const> words);

std::string_view UsageText();

}  // namespace tidemark::tideexport

#endif  // TIDEMARK_TOOLS_TIDEEXPORT_ARGUMENTS_H_
