#include "cache/commands/lcs.h"

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"

namespace tidemark::cache {
namespace {

// The lengths of the longest common subsequences of every prefix of `a` with every prefix of `b`.
class LengthTable {
 public:
  // Null if there is not enough memory.
  static std::unique_ptr<LengthTable> Of(std::string_view a, std::string_view b) {
    std::unique_ptr<uint32_t[]> cells(new (std::nothrow) uint32_t[CellCount(a, b)]);
    if (!cells) return nullptr;
    return std::unique_ptr<LengthTable>(new LengthTable(a, b, std::move(cells)));
  }
  static size_t CellCount(std::string_view a, std::string_view b) {
    return (a.size() + 1) * (b.size() + 1);
  }

  uint32_t at(size_t i, size_t j) const { return cells_[i * row_ + j]; }

 private:
  LengthTable(std::string_view a, std::string_view b, std::unique_ptr<uint32_t[]> cells)
      : row_(b.size() + 1), cells_(std::move(cells)) {
    std::fill_n(cells_.get(), row_, 0);
    for (size_t i = 1; i <= a.size(); ++i) {
      const uint32_t* above = &cells_[(i - 1) * row_];
      uint32_t* current = &cells_[i * row_];
      current[0] = 0;
      for (size_t j = 1; j <= b.size(); ++j) {
        current[j] = a[i - 1] == b[j - 1] ? above[j - 1] + 1 : std::max(above[j], current[j - 1]);
      }
    }
  }

  const size_t row_;
  std::unique_ptr<uint32_t[]> cells_;
};

// A piece of the subsequence that is contiguous in both strings.
struct Match {
  size_t a;
  size_t b;
  size_t length;
};

// The pieces, the last one first, as Redis finds them among the equally long: from the ends of both
// strings.
std::vector<Match> Trace(std::string_view a, std::string_view b, const LengthTable& lengths) {
  std::vector<Match> matches;
  size_t i = a.size();
  size_t j = b.size();
  while (i > 0 && j > 0) {
    size_t length = 0;
    for (; i > 0 && j > 0 && a[i - 1] == b[j - 1]; --i, --j) ++length;
    if (length > 0) {
      matches.push_back({i, j, length});
    } else if (lengths.at(i - 1, j) > lengths.at(i, j - 1)) {
      --i;
    } else {
      --j;
    }
  }
  return matches;
}

void AnswerIndex(std::vector<Match> matches, uint32_t total, const LcsOptions& options,
                 ReplyBuilder& reply) {
  std::erase_if(matches, [&](const Match& match) {
    return static_cast<int64_t>(match.length) < options.min_match_length;
  });
  const auto range = [&reply](size_t first, size_t length) {
    reply.ArrayHeader(2);
    reply.Integer(static_cast<int64_t>(first));
    reply.Integer(static_cast<int64_t>(first + length - 1));
  };
  reply.MapHeader(2);
  reply.Bulk("matches");
  reply.ArrayHeader(matches.size());
  for (const Match& match : matches) {
    reply.ArrayHeader(options.with_match_length ? 3 : 2);
    range(match.a, match.length);
    range(match.b, match.length);
    if (options.with_match_length) reply.Integer(static_cast<int64_t>(match.length));
  }
  reply.Bulk("len");
  reply.Integer(total);
}

}  // namespace

std::optional<LcsOptions> ParseLcs(Args args, ReplyBuilder& reply) {
  LcsOptions options;
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "idx")) {
      options.index = true;
    } else if (EqualsIgnoreCase(args[i], "len")) {
      options.length_only = true;
    } else if (EqualsIgnoreCase(args[i], "withmatchlen")) {
      options.with_match_length = true;
    } else if (EqualsIgnoreCase(args[i], "minmatchlen") && i + 1 < args.size()) {
      const std::optional<int64_t> length = ParseInteger(args[++i], reply);
      if (!length) return std::nullopt;
      options.min_match_length = *length;
    } else {
      reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  if (options.index && options.length_only) {
    reply.Error("ERR If you want both the length and indexes, please just use IDX.");
    return std::nullopt;
  }
  return options;
}

void AnswerLcs(std::string_view a, std::string_view b, const LcsOptions& options,
               ReplyBuilder& reply) {
  // Values are at most 2^29 bytes long: the product of their lengths fits.
  if (LengthTable::CellCount(a, b) * sizeof(uint32_t) > kMaxValueBytes) {
    return reply.Error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  const std::unique_ptr<LengthTable> lengths = LengthTable::Of(a, b);
  if (lengths == nullptr) {
    return reply.Error("ERR Insufficient memory, failed allocating transient memory for LCS");
  }
  const uint32_t total = lengths->at(a.size(), b.size());
  if (options.length_only) return reply.Integer(total);
  std::vector<Match> matches = Trace(a, b, *lengths);
  if (options.index) return AnswerIndex(std::move(matches), total, options, reply);
  std::string common;
  for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
    common += a.substr(match->a, match->length);
  }
  reply.Bulk(common);
}

}  // namespace tidemark::cache
