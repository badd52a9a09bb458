#include "server/export_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidemark::server {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

wal::ExportStatus TwoConsumers() {
  wal::ExportStatus status;
  status.active = 1;
  status.rejected_token = 3;
  status.exported = {.history = HistoryId(7), .sequences = {Sequence(5), Sequence(9)}};
  wal::ConsumerStatus here;
  here.name = "billing";
  here.state = wal::ConsumerStatus::State::kStreaming;
  here.peer = "10.0.0.1";
  here.lag_records = 4;
  here.counters.records_sent = 17;
  wal::ConsumerStatus away;
  away.name = "search";
  away.lost = true;
  status.consumers = {here, away};
  return status;
}

TEST(ExportReportTest, MetricsAreByConsumer) {
  const std::string text = PrometheusText(ExportMetrics(TwoConsumers()));
  EXPECT_THAT(text,
              HasSubstr("tidemark_export_consumer_records_sent_total{consumer=\"billing\"} 17"));
  EXPECT_THAT(text, HasSubstr("tidemark_export_consumer_lost{consumer=\"search\"} 1"));
  EXPECT_THAT(text, HasSubstr("tidemark_export_consumer_connected{consumer=\"search\"} 0"));
  EXPECT_THAT(text, HasSubstr("tidemark_export_rejected_token_total 3"));
  EXPECT_THAT(text, HasSubstr("tidemark_export_watermark_exported{shard=\"1\"} 9"));
}

TEST(ExportReportTest, InfoHasALineForEachConsumer) {
  const auto lines = ExportInfo(TwoConsumers());
  EXPECT_THAT(lines, Contains(Pair("export_active_consumers", "1")));
  EXPECT_THAT(lines, Contains(Pair("export_consumer0",
                                   "name=billing,state=streaming,addr=10.0.0.1,lag_records=4,"
                                   "queue_bytes=0,segment=0,lost=0,seen_ms=0")));
  EXPECT_THAT(lines, Contains(Pair("export_consumer1", HasSubstr("state=away"))));
}

}  // namespace
}  // namespace tidemark::server
