// Proof that replicas hold what their primary holds.

#ifndef TIDEMARK_INTEGRATION_HARNESS_CONVERGENCE_H_
#define TIDEMARK_INTEGRATION_HARNESS_CONVERGENCE_H_

#include <gtest/gtest.h>

#include <vector>

#include "integration/harness/node.h"

namespace tidemark::integration {

// Success once every replica reports the digest that the primary reports, at the same watermarks of
// the same history. Otherwise says what each of them had last. Keys that expire meanwhile move both
// and are waited for; a client that goes on writing may keep the vectors from ever being equal.
testing::AssertionResult AwaitConvergence(const Node& primary,
                                          const std::vector<const Node*>& replicas,
                                          Duration patience = kPatience);

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_CONVERGENCE_H_
