// Consumers together: names, places in the log, turns, and what is said of them.

#include "wal/export/export_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "wal/export/export_consumer.h"
#include "wal/export/fake_export_source.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ExportHubTest : public testing::Test {
 protected:
  ExportHubTest() : source_(HistoryId(7), 2) {
    options_.session.tokens.current = "secret";
    options_.max_consumers = 3;
    options_.max_waiting = 4;
    hub_ = std::make_unique<ExportHub>(options_, &source_, &clock_);
  }

  // A consumer and the node's end of its connection.
  struct Pair {
    ExportSession* session;
    std::unique_ptr<ExportConsumer> consumer;
    std::vector<ExportEvent> events;
  };
  Pair Connect(const std::string& name,
               ExportStart start = {.from = ExportStart::From::kNow, .position = {}}) {
    Pair pair{
        .session = hub_->Add("10.0.0.1", false, 0),
        .consumer = std::make_unique<ExportConsumer>(
            ExportConsumer::Options{
                .name = name, .token = "secret", .start = std::move(start), .want_zstd = false},
            0),
        .events = {}};
    EXPECT_NE(pair.session, nullptr);
    Exchange(pair);
    return pair;
  }
  // Until neither end has anything to say.
  void Exchange(Pair& pair) {
    for (bool moved = true; moved;) {
      moved = false;
      std::vector<std::string_view> pieces;
      pair.consumer->Gather(1, &pieces);
      if (!pieces.empty()) {
        const std::string bytes(pieces[0]);
        pair.consumer->OnWritten(bytes.size());
        pair.session->OnBytes(bytes, 0);
        moved = true;
      }
      hub_->Pump(pair.session, 0);
      pieces.clear();
      pair.session->Gather(1, &pieces);
      if (!pieces.empty()) {
        const std::string bytes(pieces[0]);
        pair.session->OnWritten(bytes.size(), 0);
        std::string_view input = bytes;
        ExportEvent event;
        while (*pair.consumer->Next(&input, &event, 0)) pair.events.push_back(event);
        moved = true;
      }
    }
  }
  void Disconnect(Pair& pair) {
    pair.session->OnDisconnected(absl::UnavailableError("cut"));
    hub_->Remove(pair.session);
  }
  static wire::Refuse::Code RefusalOf(const Pair& pair) {
    const auto* refused =
        pair.events.empty() ? nullptr : std::get_if<StreamRefused>(&pair.events.back());
    return refused == nullptr ? wire::Refuse::CODE_UNKNOWN : refused->code;
  }

  ExportHub::Options options_;
  ManualClock clock_;
  FakeExportSource source_;
  std::unique_ptr<ExportHub> hub_;
};

TEST_F(ExportHubTest, ANameIsConnectedOnce) {
  Pair first = Connect("a");
  Pair second = Connect("a");
  EXPECT_EQ(RefusalOf(second), wire::Refuse::DUPLICATE_NAME);
  hub_->Remove(second.session);
  Disconnect(first);
  Pair third = Connect("a");
  EXPECT_EQ(RefusalOf(third), wire::Refuse::CODE_UNKNOWN);
  EXPECT_EQ(hub_->Status().accepted, 2u);
  EXPECT_EQ(hub_->Status().rejected, 1u);
}

TEST_F(ExportHubTest, PlacesAreBoundedAndCanBeForgotten) {
  for (const char* name : {"a", "b", "c"}) {
    Pair pair = Connect(name);
    Disconnect(pair);
  }
  Pair fourth = Connect("d");
  EXPECT_EQ(RefusalOf(fourth), wire::Refuse::TOO_MANY_CONSUMERS);
  hub_->Remove(fourth.session);
  EXPECT_EQ(hub_->Forget("d").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(hub_->Forget("b").ok());
  EXPECT_THAT(source_.kept(), SizeIs(2));
  Pair again = Connect("d");
  EXPECT_EQ(RefusalOf(again), wire::Refuse::CODE_UNKNOWN);
  EXPECT_EQ(hub_->Forget("d").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ExportHubTest, APlaceThatIsLostMakesRoom) {
  Pair connected = Connect("a");
  for (const char* name : {"b", "c"}) {
    Pair pair = Connect(name);
    Disconnect(pair);
  }
  source_.Lose("a");  // It hears of it by itself.
  Pair refused = Connect("d");
  EXPECT_EQ(RefusalOf(refused), wire::Refuse::TOO_MANY_CONSUMERS);
  source_.Lose("c");
  Pair admitted = Connect("d");
  EXPECT_EQ(RefusalOf(admitted), wire::Refuse::CODE_UNKNOWN);
  std::vector<std::string> names;
  for (const ConsumerStatus& consumer : hub_->Status().consumers) names.push_back(consumer.name);
  EXPECT_THAT(names, ElementsAre("a", "b", "d"));
}

TEST_F(ExportHubTest, ConnectionsWithoutAHelloAreBounded) {
  for (size_t i = 0; i < options_.max_waiting; ++i) EXPECT_NE(hub_->Add("", false, 0), nullptr);
  EXPECT_EQ(hub_->Add("", false, 0), nullptr);
  EXPECT_EQ(hub_->Status().rejected, 1u);
}

TEST_F(ExportHubTest, PlacesSurviveARestart) {
  Pair pair = Connect("a");
  source_.AppendAndSync(0, 5);
  Exchange(pair);
  pair.consumer->Acknowledge(0);
  Exchange(pair);
  const std::optional<std::string> saved = hub_->TakeConsumers();
  ASSERT_TRUE(saved.has_value());
  EXPECT_FALSE(hub_->TakeConsumers().has_value());

  FakeExportSource source(HistoryId(7), 2);
  ExportHub hub(options_, &source, &clock_);
  ASSERT_TRUE(hub.LoadConsumers(*saved).ok());
  const ExportStatus status = hub.Status();
  ASSERT_THAT(status.consumers, SizeIs(1));
  EXPECT_EQ(status.consumers[0].name, "a");
  EXPECT_EQ(status.consumers[0].state, ConsumerStatus::State::kAway);
  EXPECT_THAT(status.consumers[0].acked.sequences, ElementsAre(Sequence(5), Sequence(0)));
  EXPECT_EQ(source.kept(), source_.kept());
  EXPECT_EQ(hub.LoadConsumers("\xff\xff").code(), absl::StatusCode::kDataLoss);
}

TEST_F(ExportHubTest, ExportedIsTheLeastOfThoseConnected) {
  EXPECT_THAT(hub_->Status().exported.sequences, IsEmpty());
  Pair fast = Connect("fast");
  Pair slow = Connect("slow");
  source_.AppendAndSync(0, 5);
  source_.AppendAndSync(1, 2);
  Exchange(fast);
  EXPECT_THAT(hub_->Status().exported.sequences, ElementsAre(Sequence(0), Sequence(0)));
  EXPECT_EQ(hub_->Status().consumers[1].lag_records, 7u);
  Exchange(slow);
  EXPECT_THAT(hub_->Status().exported.sequences, ElementsAre(Sequence(5), Sequence(2)));
}

TEST_F(ExportHubTest, CountersOfAConsumerAreKeptWhileItIsAway) {
  for (int i = 0; i < 3; ++i) {
    Pair pair = Connect("a");
    source_.AppendAndSync(0, 2);
    Exchange(pair);
    Disconnect(pair);
  }
  const ExportStatus status = hub_->Status();
  EXPECT_EQ(status.consumers[0].counters.connects, 3u);
  EXPECT_EQ(status.consumers[0].counters.records_sent, 6u);
  EXPECT_EQ(status.total.records_sent, 6u);
}

TEST_F(ExportHubTest, StoppingNamesWhatWasNotSent) {
  Pair stuck = Connect("stuck");
  Pair pair = Connect("well");
  source_.AppendAndSync(1, 4);
  hub_->BeginStop();
  Exchange(pair);
  hub_->Pump(stuck.session, 0);  // Queued, and never written.
  ASSERT_THAT(pair.events, testing::Not(IsEmpty()));
  EXPECT_EQ(std::get<StreamEnded>(pair.events.back()).code, wire::Goodbye::STOPPING);
  EXPECT_TRUE(pair.session->closed());
  const std::vector<UnsentSpan> unsent = hub_->Unsent();
  ASSERT_THAT(unsent, SizeIs(1));
  EXPECT_EQ(unsent[0].consumer, "stuck");
  EXPECT_EQ(unsent[0].range, (LostRange{ShardId(1), Sequence(1), Sequence(4)}));
  EXPECT_EQ(hub_->Add("", false, 0), nullptr);
}

}  // namespace
}  // namespace tidemark::wal
