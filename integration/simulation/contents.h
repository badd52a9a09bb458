// Contents is what a node should hold, as a plain map: the reference that every keyspace of the
// simulation is compared with.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_CONTENTS_H_
#define TIDEMARK_INTEGRATION_SIMULATION_CONTENTS_H_

#include <string>

#include "base/format/frame.h"
#include "base/ids.h"
#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::simulation {

using Contents = cache::State;  // Value and expiry, by key.

// Applies the records of `frame` with these sequences, as a follower must; of a snapshot chunk,
// all. What is wrong with the frame, the first of it, or empty.
std::string ApplyFrame(const Frame& frame, Sequence from, Sequence through, Contents* contents);

// What is in `actual` and should not be, or the other way round: one difference, in words. Empty:
// the two are equal.
std::string Difference(const Contents& expected, const Contents& actual);

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_CONTENTS_H_
