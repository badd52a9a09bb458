// The node's metrics as Prometheus scrapes them, from one report.

#ifndef TIDEMARK_SERVER_METRICS_PAGE_H_
#define TIDEMARK_SERVER_METRICS_PAGE_H_

#include <string>

#include "server/node_report.h"

namespace tidemark::server {

std::string MetricsText(const NodeReport& report);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_METRICS_PAGE_H_
