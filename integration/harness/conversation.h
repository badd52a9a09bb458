// A table of conversations with a server, for tests that hold two servers to the same answers. It
// is a text file:
//
//   # A comment, anywhere.
//   == What the conversation shows [RESP2]     Begins one. [RESP2] or [RESP3]: only with that.
//   > SET key "a value\x00"                    A command (split_line.h), and its reply is compared.
//   ! "PING\r\nPING\r\n"                       These bytes, as they are; nothing is read.
//   <                                          One more reply is read and compared.
//   B> PING                                    Likewise on a second connection; so are B! and B<.
//
// and, indented below a line whose reply is compared:
//
//     mask REGEX                               What matches is the same for both: it becomes '#'.
//     drop REGEX                               What matches is taken out.
//     ours TEXT                                Ours is this (after masks), and the other's is not.
//     differs                                  The two differ, in ways too long to write down.
//     because REASON                           Why: required with the two before.

#ifndef TIDEMARK_INTEGRATION_HARNESS_CONVERSATION_H_
#define TIDEMARK_INTEGRATION_HARNESS_CONVERSATION_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::integration {

struct Exchange {
  int line = 0;      // In the file, from 1.
  std::string text;  // The line itself, for messages.
  char connection = 'A';
  std::vector<std::string> command = {};  // Empty if there is none.
  std::string bytes = {};                 // Empty if there are none.
  bool reads = false;

  struct Mask {
    std::string regex;
    std::string replacement;
  };
  std::vector<Mask> masks = {};
  std::optional<std::string> ours = std::nullopt;
  bool differs = false;
  std::string because = {};
};

struct Conversation {
  std::string title;
  int only_protocol = 0;  // 0: both.
  std::vector<Exchange> exchanges = {};
};

// InvalidArgument names the line.
absl::StatusOr<std::vector<Conversation>> ParseConversations(std::string_view text);

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_CONVERSATION_H_
