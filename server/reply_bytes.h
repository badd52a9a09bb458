// Replies as bytes, found again in a connection's output: where each ends, and the same stream with
// some of them replaced.
//
// The bytes are ours (net/resp_writer.h), in RESP2 or RESP3, so what is malformed is a bug.

#ifndef TIDEMARK_SERVER_REPLY_BYTES_H_
#define TIDEMARK_SERVER_REPLY_BYTES_H_

#include <cstddef>
#include <string_view>

namespace tidemark::server {

// How many bytes the first reply of `bytes` takes, with an attribute before it, if it has one; with
// its elements, if it is an aggregate. 0 if it is not whole.
size_t ReplySize(std::string_view bytes);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_REPLY_BYTES_H_
