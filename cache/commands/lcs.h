// LCS: the longest common subsequence of two strings, and where its pieces lie in each.

#ifndef TIDEMARK_CACHE_COMMANDS_LCS_H_
#define TIDEMARK_CACHE_COMMANDS_LCS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/command.h"
#include "cache/reply.h"

namespace tidemark::cache {

struct LcsOptions {
  bool length_only = false;        // LEN
  bool index = false;              // IDX: the ranges that match, instead of the string.
  int64_t min_match_length = 0;    // MINMATCHLEN: shorter ranges are left out of the index.
  bool with_match_length = false;  // WITHMATCHLEN: each range comes with its length.
};

// Reads LCS' options. If they are wrong answers the error and returns nothing.
std::optional<LcsOptions> ParseLcs(Args args, ReplyBuilder& reply);

// Compares `a` and `b` and answers. Takes time and (while it runs) memory in proportion to the
// product of their lengths; answers an error instead if that would exceed kMaxValueBytes.
void AnswerLcs(std::string_view a, std::string_view b, const LcsOptions& options,
               ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_LCS_H_
