// Whatever the bytes, the parser stays within them, and pieces parse as the whole does.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "net/resp_parser.h"

namespace tidemark::net {
namespace {

struct Result {
  std::vector<std::vector<std::string>> commands;
  std::string error;
};

Result ParseInPieces(std::string_view stream, size_t piece) {
  Result result;
  RespParser parser;
  CommandBatch batch;
  size_t begin = 0;
  for (size_t end = 0; end < stream.size();) {
    end = std::min(stream.size(), end + piece);
    do {
      // A copy of the exact size, so that the sanitizer sees a read beyond it.
      const std::vector<char> input(stream.begin() + static_cast<ptrdiff_t>(begin),
                                    stream.begin() + static_cast<ptrdiff_t>(end));
      result.error = parser.Parse({input.data(), input.size()}, {}, batch);
      if (!result.error.empty()) return result;
      for (const ParsedCommand& command : batch.commands()) {
        CHECK(!command.args.empty());
        result.commands.emplace_back(command.args.begin(), command.args.end());
      }
      CHECK(batch.consumed() <= input.size());
      begin += batch.consumed();
    } while (batch.more());
  }
  return result;
}

}  // namespace
}  // namespace tidemark::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tidemark::net::ParseInPieces;
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const auto whole = ParseInPieces(stream, size);
  const auto pieces = ParseInPieces(stream, size < 200 ? 1 : 1 + size / 7);
  CHECK(whole.commands == pieces.commands);
  CHECK(whole.error == pieces.error);
  return 0;
}
