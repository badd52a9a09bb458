// A port for programs that cannot be told to take any free one and say which.

#ifndef TIDEMARK_INTEGRATION_HARNESS_FREE_PORT_H_
#define TIDEMARK_INTEGRATION_HARNESS_FREE_PORT_H_

#include "integration/harness/listener.h"

namespace tidemark::integration {

// A port of 127.0.0.1 that was free a moment ago. Our own nodes are given port 0 instead.
inline int FreePort() { return Listener().port(); }

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_FREE_PORT_H_
