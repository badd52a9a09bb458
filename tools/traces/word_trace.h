// The "words" trace: real data with real locality. Each two neighbouring words of a text, read from
// beginning to end, are one request, as of a table of word pairs that an indexer or a spelling
// checker keeps counts in: a few pairs everywhere, many once in the whole text, and others again
// and again for as long as a page is about them.
//
// Any text gives a trace; docs/benchmarks.md takes the Perl library that Debian's perl package
// installs.
//
// Threading: none of its own.

#ifndef TIDEMARK_TOOLS_TRACES_WORD_TRACE_H_
#define TIDEMARK_TOOLS_TRACES_WORD_TRACE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/traces/trace.h"

namespace tidemark::traces {

class WordTrace {
 public:
  // A word is letters A to Z and a to z, its case ignored; all else parts words. The first word of
  // a text makes no pair with the last one of the text before.
  void Read(std::string_view text);

  // Keys are numbered from 0 in the order of their first request.
  const std::vector<KeyId>& requests() const { return requests_; }
  uint64_t keys() const { return ids_.size(); }

 private:
  std::unordered_map<std::string, KeyId> ids_;
  std::vector<KeyId> requests_;
};

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_WORD_TRACE_H_
