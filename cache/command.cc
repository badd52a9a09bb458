#include "cache/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/text.h"

namespace tidemark::cache {
namespace {

// How much of what a client sent an error message repeats.
constexpr size_t kMaxEchoedBytes = 128;

}  // namespace

std::vector<int> KeyPositions(const KeyRange& keys, Args args) {
  std::vector<int> positions;
  if (keys.first == 0) return positions;
  const int argc = static_cast<int>(args.size());
  const int last = keys.last < 0 ? argc + keys.last : std::min(keys.last, argc - 1);
  for (int i = keys.first; i <= last; i += keys.step) positions.push_back(i);
  return positions;
}

void WrongArity(const CommandSpec& spec, ReplyBuilder& reply) {
  reply.Error(fmt::format("ERR wrong number of arguments for '{}' command", spec.name));
}

void UnknownCommand(Args args, ReplyBuilder& reply) {
  std::string beginning;
  for (size_t i = 1; i < args.size() && beginning.size() < kMaxEchoedBytes; ++i) {
    beginning += fmt::format("'{}' ", args[i].substr(0, kMaxEchoedBytes - beginning.size()));
  }
  reply.Error(fmt::format("ERR unknown command '{}', with args beginning with: {}",
                          args[0].substr(0, kMaxEchoedBytes), beginning));
}

void UnknownSubcommand(const CommandSpec& spec, Args args, ReplyBuilder& reply) {
  reply.Error(fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                          args[1].substr(0, kMaxEchoedBytes), ToUpper(spec.name)));
}

void UnknownSubcommandOrArity(Args args, ReplyBuilder& reply) {
  reply.Error(
      fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
                  args[1].substr(0, kMaxEchoedBytes), ToUpper(args[0])));
}

}  // namespace tidemark::cache
