#include "integration/harness/convergence.h"

#include <sstream>

#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

std::string Describe(const absl::StatusOr<DigestReport>& report) {
  std::ostringstream text;
  if (report.ok()) {
    PrintTo(*report, &text);
  } else {
    text << report.status();
  }
  return text.str();
}

}  // namespace

testing::AssertionResult AwaitConvergence(const Node& primary,
                                          const std::vector<const Node*>& replicas,
                                          Duration patience) {
  RedisClient source = primary.Connect();
  std::vector<RedisClient> copies;
  for (const Node* replica : replicas) copies.push_back(replica->Connect());
  // A digest walks every key: ask for the vectors first, which cost nothing.
  const auto caught_up = [&](const Vector& emitted) {
    for (RedisClient& copy : copies) {
      const absl::StatusOr<WatermarksReport> report = Watermarks(copy);
      if (!report.ok() || report->applied != emitted) return false;
    }
    return true;
  };

  std::string last;
  const bool equal = Eventually(patience, [&] {
    const absl::StatusOr<WatermarksReport> report = Watermarks(source);
    if (!report.ok()) {
      last = report.status().ToString();
      return false;
    }
    if (!caught_up(report->emitted)) {
      last = "the applied watermarks have not reached the primary's";
      return false;
    }
    const absl::StatusOr<DigestReport> truth = Digest(source);
    last = "primary: " + Describe(truth);
    bool all_equal = truth.ok();
    for (RedisClient& copy : copies) {
      const absl::StatusOr<DigestReport> digest = Digest(copy);
      last += "\nreplica: " + Describe(digest);
      all_equal = all_equal && digest.ok() && *digest == *truth;
    }
    return all_equal;
  });
  if (equal) return testing::AssertionSuccess();
  for (const Node* replica : replicas) {
    RedisClient copy = replica->Connect();
    std::ostringstream text;
    PrintTo(copy.Do({"TIDE", "WATERMARKS"}), &text);
    last += "\nreplica: " + text.str();
  }
  std::ostringstream text;
  PrintTo(source.Do({"TIDE", "WATERMARKS"}), &text);
  return testing::AssertionFailure() << last << "\nprimary: " << text.str();
}

}  // namespace tidemark::integration
