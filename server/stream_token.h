// StreamToken names a point in a stream of writes: what a reader must have reached to see them. A
// client gets it as one opaque word (TIDE TOKEN) and shows it to any copy of the data (TIDE WAIT).
//
//   std::string text = EncodeToken({.history = h, .sequences = session.written()});
//   absl::StatusOr<StreamToken> token = DecodeToken(text);
//
// Layout and limits: docs/formats/token.md. Plain functions, any thread.

#ifndef TIDEMARK_SERVER_STREAM_TOKEN_H_
#define TIDEMARK_SERVER_STREAM_TOKEN_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/ids.h"

namespace tidemark::server {

struct StreamToken {
  HistoryId history;
  Watermarks sequences;  // By the shard of the history's primary; 0: nothing of it is asked for.

  friend bool operator==(const StreamToken&, const StreamToken&) = default;
};

// The longest text of a token, of 1024 shards.
inline constexpr size_t kMaxTokenText = 13'674;

// Requires: a history, and 1 to kMaxShards sequences.
std::string EncodeToken(const StreamToken& token);

// InvalidArgument, saying what is wrong with it, for anything that EncodeToken does not make.
absl::StatusOr<StreamToken> DecodeToken(std::string_view text);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_STREAM_TOKEN_H_
