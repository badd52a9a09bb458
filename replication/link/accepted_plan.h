// What a primary's Accept says, once it was found to answer the Hello before it: nothing of it is
// trusted (docs/protocol.md, "Accept").

#ifndef TIDEMARK_REPLICATION_LINK_ACCEPTED_PLAN_H_
#define TIDEMARK_REPLICATION_LINK_ACCEPTED_PLAN_H_

#include "absl/status/statusor.h"
#include "replication/link/control_message.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

// The plan of an Accept after a Hello that named `position`. InvalidArgument, with what is wrong:
// it cannot be an answer to that. `takes_mixed_plans`: whether the Hello said so.
absl::StatusOr<StreamPlan> PlanFrom(const wire::Accept& accept, const ReplicaPosition& position,
                                    bool takes_mixed_plans);

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_ACCEPTED_PLAN_H_
