// What the digests of several nodes prove.

#ifndef TIDEMARK_TOOLS_TIDECTL_VERDICT_H_
#define TIDEMARK_TOOLS_TIDECTL_VERDICT_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "tools/tidectl/tide_reply.h"

namespace tidemark::tidectl {

struct DigestOf {
  std::string name;  // HOST:PORT.
  absl::StatusOr<NodeDigest> digest;
};

enum class Outcome : uint8_t {
  kEqual,   // The same history, watermarks and contents.
  kDiffer,  // The same watermarks, other contents: never right, and waiting does not help.
  kUneven,  // Not comparable: watermarks or histories differ, or a node does not answer.
};

struct Verdict {
  Outcome outcome = Outcome::kUneven;
  std::string text;  // One line for each thing that is wrong, or one that says what is equal.
};

// Compares each node with the first.
Verdict Judge(std::span<const DigestOf> nodes);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_VERDICT_H_
