// Any text is a token or an error; a token has one text only, and no text makes a large one. Each
// input is tried as the text, and as the content of a text whose checksum is right.

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"
#include "server/stream_token.h"

namespace {

void Try(std::string_view text) {
  const absl::StatusOr<tidemark::server::StreamToken> token = tidemark::server::DecodeToken(text);
  if (!token.ok()) return;
  CHECK(token->sequences.size() <= tidemark::kMaxShards);
  CHECK(tidemark::server::EncodeToken(*token) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Try(bytes);
  char checksum[4];
  tidemark::StoreFixed(checksum, tidemark::Crc32c(bytes));
  bytes.append(checksum, sizeof(checksum));
  Try(absl::WebSafeBase64Escape(bytes));
  return 0;
}
