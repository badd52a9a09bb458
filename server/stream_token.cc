#include "server/stream_token.h"

#include <limits>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"

namespace tidemark::server {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHeadBytes = 1 + sizeof(uint64_t);
constexpr size_t kChecksumBytes = sizeof(uint32_t);
constexpr size_t kMaxContentBytes =
    kHeadBytes + VarintBytes(kMaxShards) + kMaxVarint64Bytes * kMaxShards + kChecksumBytes;
// Every 3 bytes make 4 characters; no padding.
static_assert((kMaxContentBytes * 4 + 2) / 3 == kMaxTokenText);

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(absl::string_view(what.data(), what.size()));
}

}  // namespace

std::string EncodeToken(const StreamToken& token) {
  CHECK(token.history != HistoryId() && !token.sequences.empty() &&
        token.sequences.size() <= kMaxShards);
  std::string content(kHeadBytes + kMaxVarint64Bytes * (token.sequences.size() + 1), '\0');
  char* p = StoreFixed(content.data(), kVersion);
  p = StoreFixed(p, token.history.value());
  p = StoreVarint(p, token.sequences.size());
  for (const Sequence sequence : token.sequences) p = StoreVarint(p, sequence.value());
  content.resize(static_cast<size_t>(p - content.data()));
  char checksum[kChecksumBytes];
  StoreFixed(checksum, Crc32c(content));
  content.append(checksum, kChecksumBytes);
  return absl::WebSafeBase64Escape(content);
}

absl::StatusOr<StreamToken> DecodeToken(std::string_view text) {
  if (text.size() > kMaxTokenText) return Bad("it is too long");
  std::string content;
  // The escaper reads padding and stray bits as well: one token has one text only.
  if (!absl::WebSafeBase64Unescape(absl::string_view(text.data(), text.size()), &content) ||
      absl::WebSafeBase64Escape(content) != absl::string_view(text.data(), text.size())) {
    return Bad("it is not base64url without padding");
  }
  if (content.size() < kHeadBytes + kChecksumBytes) return Bad("it is cut short");
  const std::string_view body =
      std::string_view(content).substr(0, content.size() - kChecksumBytes);
  const char* const end = body.data() + body.size();
  if (Crc32c(body) != LoadFixed<uint32_t>(end)) return Bad("its checksum differs");
  if (LoadFixed<uint8_t>(body.data()) != kVersion) return Bad("it is of another version");
  StreamToken token;
  token.history = HistoryId(LoadFixed<uint64_t>(body.data() + 1));
  if (token.history == HistoryId()) return Bad("it names no history");
  uint64_t shards = 0;
  const char* p = LoadVarint(body.data() + kHeadBytes, end, kMaxShards, &shards);
  if (p == nullptr || shards == 0) return Bad("its number of shards is out of bounds");
  token.sequences.reserve(shards);
  for (uint64_t i = 0; i < shards; ++i) {
    uint64_t sequence = 0;
    p = LoadVarint(p, end, std::numeric_limits<uint64_t>::max(), &sequence);
    if (p == nullptr) return Bad("its sequences are damaged");
    token.sequences.push_back(Sequence(sequence));
  }
  if (p != end) return Bad("more follows its sequences");
  return token;
}

}  // namespace tidemark::server
