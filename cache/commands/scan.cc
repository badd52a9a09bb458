#include "cache/commands/scan.h"

#include <fmt/format.h>

#include <charconv>

#include "base/glob.h"
#include "base/text.h"
#include "cache/commands/access.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"

namespace tidemark::cache {
namespace {

constexpr uint64_t kInnerMask = (uint64_t{1} << kScanShardShift) - 1;

// Like Redis, takes whatever strtoul does: a sign, or nothing at all.
std::optional<uint64_t> ParseCursor(std::string_view text) {
  if (text.empty()) return 0;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return negative ? -value : value;
}

}  // namespace

std::optional<ScanRequest> ParseScan(Args args, ReplyBuilder& reply) {
  ScanRequest request;
  const std::optional<uint64_t> cursor = ParseCursor(args[1]);
  if (!cursor) {
    reply.Error("ERR invalid cursor");
    return std::nullopt;
  }
  request.shard = *cursor >> kScanShardShift;
  request.inner_cursor = *cursor & kInnerMask;
  for (size_t i = 2; i < args.size(); i += 2) {
    const bool has_value = i + 1 < args.size();
    if (has_value && EqualsIgnoreCase(args[i], "count")) {
      const std::optional<int64_t> count = ParseInteger(args[i + 1], reply);
      if (!count) return std::nullopt;
      if (*count < 1) {
        reply.Error(kSyntaxError);
        return std::nullopt;
      }
      request.count = static_cast<size_t>(*count);
    } else if (has_value && EqualsIgnoreCase(args[i], "match")) {
      request.pattern = args[i + 1];
    } else if (has_value && EqualsIgnoreCase(args[i], "type")) {
      request.type = args[i + 1];
    } else {
      reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  return request;
}

uint64_t ScanShard(Keyspace& keyspace, const ScanRequest& request, std::vector<std::string>& keys) {
  const bool all = request.pattern == "*";
  const auto visit = [&](const Entry& entry) {
    if (request.type && !EqualsIgnoreCase(*request.type, TypeName(entry.type()))) return;
    if (all || GlobMatch(request.pattern, entry.key())) keys.emplace_back(entry.key());
  };
  return keyspace.Scan(request.inner_cursor, request.count, visit);
}

uint64_t NextScanCursor(const ScanRequest& request, uint64_t next_inner, int shard_count) {
  const uint64_t shard = next_inner == 0 ? request.shard + 1 : request.shard;
  return shard < static_cast<uint64_t>(shard_count) ? shard << kScanShardShift | next_inner : 0;
}

void AnswerScan(uint64_t cursor, std::span<const std::string> keys, ReplyBuilder& reply) {
  const fmt::format_int text(cursor);
  reply.ArrayHeader(2);
  reply.Bulk({text.data(), text.size()});
  reply.ArrayHeader(keys.size());
  for (const std::string& key : keys) reply.Bulk(key);
}

}  // namespace tidemark::cache
