// What INFO and the metrics page say of the change export.

#ifndef TIDEMARK_SERVER_EXPORT_REPORT_H_
#define TIDEMARK_SERVER_EXPORT_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "base/metrics/metric_registry.h"
#include "wal/export/export_status.h"

namespace tidemark::server {

// "tidemark_export_...": totals, and by consumer.
std::vector<MetricFamilySample> ExportMetrics(const wal::ExportStatus& status);

// Names and values of INFO's lines: totals, then "export_consumer0" and so on, by name.
std::vector<std::pair<std::string, std::string>> ExportInfo(const wal::ExportStatus& status);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_EXPORT_REPORT_H_
