// ReadDemands is what one connection asks of its reads and its writes' replies (TIDE TRACK, TIDE
// STALENESS). Most connections ask nothing and have none of this.
//
// Threading: its shard's. Owned by its Client, which acts on it.

#ifndef TIDEMARK_SERVER_READ_DEMANDS_H_
#define TIDEMARK_SERVER_READ_DEMANDS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "cache/reply_tape.h"
#include "server/freshness.h"
#include "server/stream_token.h"

namespace tidemark::server {

struct ReadDemands {
  // Each write's reply carries the connection's token.
  bool tracks_writes = false;
  // What stands for the reply of the tracked write under way, until its token is known. Engaged:
  // there is one, and no later command begins.
  std::optional<cache::ReplyTape> tracked_reply;

  // Reads see at least this.
  std::optional<StreamToken> token;
  // It was covered at this generation of what is served, and so is while that stays; 0: not yet.
  uint64_t covered_generation = 0;
  bool waiting = false;  // A read waits for it.
  // What a read is answered that has waited in vain. Reads that come before `fails_until_ms` do not
  // wait anew: a pipeline of them waits once.
  std::string failure;
  int64_t fails_until_ms = 0;

  StalenessBounds bounds;

  void SetToken(StreamToken wanted) {
    token = std::move(wanted);
    covered_generation = 0;
    failure.clear();
  }
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_READ_DEMANDS_H_
