#include "server/export_report.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace tidemark::server {
namespace {

struct ConsumerMetric {
  const char* name;
  const char* help;
  MetricKind kind;
  double (*read)(const wal::ConsumerStatus&);
};

using Status = wal::ConsumerStatus;
constexpr MetricKind kCounter = MetricKind::kCounter;
constexpr MetricKind kGauge = MetricKind::kGauge;

double Of(uint64_t value) { return static_cast<double>(value); }

constexpr ConsumerMetric kConsumerMetrics[] = {
    {"connected", "Whether the consumer is connected.", kGauge,
     [](const Status& s) { return s.state == Status::State::kAway ? 0.0 : 1.0; }},
    {"lag_records", "Durable mutations that the consumer has not acknowledged.", kGauge,
     [](const Status& s) { return Of(s.lag_records); }},
    {"queue_bytes", "Bytes queued for the consumer.", kGauge,
     [](const Status& s) { return Of(s.queue_bytes); }},
    {"lost", "Whether the log has dropped what the consumer needs.", kGauge,
     [](const Status& s) { return s.lost ? 1.0 : 0.0; }},
    {"connects_total", "Streams that began.", kCounter,
     [](const Status& s) { return Of(s.counters.connects); }},
    {"frames_sent_total", "Frames sent.", kCounter,
     [](const Status& s) { return Of(s.counters.frames_sent); }},
    {"records_sent_total", "Mutations and snapshot entries sent.", kCounter,
     [](const Status& s) { return Of(s.counters.records_sent); }},
    {"bytes_sent_total", "Bytes of frames sent.", kCounter,
     [](const Status& s) { return Of(s.counters.bytes_sent); }},
    {"snapshots_sent_total", "Snapshots sent whole.", kCounter,
     [](const Status& s) { return Of(s.counters.snapshots_sent); }},
    {"acks_total", "Acknowledgements heard.", kCounter,
     [](const Status& s) { return Of(s.counters.acks); }},
    {"write_failures_total", "Times that it was cut because its output did not move.", kCounter,
     [](const Status& s) { return Of(s.counters.write_failures); }},
    {"silences_total", "Times that it was cut because nothing was heard of it.", kCounter,
     [](const Status& s) { return Of(s.counters.silences); }},
    {"positions_lost_total", "Times that it was told that its position is lost.", kCounter,
     [](const Status& s) { return Of(s.counters.positions_lost); }},
};

struct TotalMetric {
  const char* name;
  const char* help;
  MetricKind kind;
  uint64_t wal::ExportStatus::*field;
};

constexpr TotalMetric kTotalMetrics[] = {
    {"active_consumers", "Consumers connected and accepted.", kGauge, &wal::ExportStatus::active},
    {"accepted_total", "Connections whose hello was accepted.", kCounter,
     &wal::ExportStatus::accepted},
    {"rejected_total", "Connections closed before that, whatever the reason.", kCounter,
     &wal::ExportStatus::rejected},
    {"rejected_token_total", "Connections that showed a wrong token.", kCounter,
     &wal::ExportStatus::rejected_token},
    {"connect_failures_total", "Dials that failed.", kCounter,
     &wal::ExportStatus::connect_failures},
    {"save_failures_total", "Failures to write the file of the consumers' positions.", kCounter,
     &wal::ExportStatus::save_failures},
};

std::string_view StateName(Status::State state) {
  switch (state) {
    case Status::State::kAway:
      return "away";
    case Status::State::kSnapshot:
      return "snapshot";
    case Status::State::kStreaming:
      return "streaming";
    case Status::State::kClosing:
      return "closing";
  }
  return "unknown";
}

}  // namespace

std::vector<MetricFamilySample> ExportMetrics(const wal::ExportStatus& status) {
  std::vector<MetricFamilySample> families;
  auto add = [&](std::string_view name, std::string_view help,
                 MetricKind kind) -> MetricFamilySample& {
    MetricFamilySample& family = families.emplace_back();
    family.name = fmt::format("tidemark_export_{}", name);
    family.help = help;
    family.kind = kind;
    return family;
  };
  for (const TotalMetric& metric : kTotalMetrics) {
    add(metric.name, metric.help, metric.kind)
        .samples.push_back(MetricSample::Of(Of(status.*metric.field)));
  }
  for (const ConsumerMetric& metric : kConsumerMetrics) {
    MetricFamilySample& family =
        add(fmt::format("consumer_{}", metric.name), metric.help, metric.kind);
    for (const Status& consumer : status.consumers) {
      family.samples.push_back(
          MetricSample::Of(metric.read(consumer), {{"consumer", consumer.name}}));
    }
  }
  if (!status.exported.sequences.empty()) {
    MetricFamilySample& family =
        add("watermark_exported", "What every connected consumer was sent.", kGauge);
    for (size_t i = 0; i < status.exported.sequences.size(); ++i) {
      family.samples.push_back(MetricSample::Of(Of(status.exported.sequences[i].value()),
                                                {{"shard", std::to_string(i)}}));
    }
  }
  return families;
}

std::vector<std::pair<std::string, std::string>> ExportInfo(const wal::ExportStatus& status) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const TotalMetric& metric : kTotalMetrics) {
    lines.emplace_back(fmt::format("export_{}", metric.name),
                       fmt::format("{}", status.*metric.field));
  }
  for (size_t i = 0; i < status.consumers.size(); ++i) {
    const Status& consumer = status.consumers[i];
    lines.emplace_back(
        fmt::format("export_consumer{}", i),
        fmt::format("name={},state={},addr={},lag_records={},queue_bytes={},segment={},lost={},"
                    "seen_ms={}",
                    consumer.name, StateName(consumer.state), consumer.peer, consumer.lag_records,
                    consumer.queue_bytes, consumer.segment, consumer.lost ? 1 : 0,
                    consumer.seen_ms));
  }
  return lines;
}

}  // namespace tidemark::server
