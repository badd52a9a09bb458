// One consumer's stream, both ends of it, without a socket: what is accepted, refused, sent and
// cut.

#include "wal/export/export_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/link/wire_vectors.h"
#include "wal/export/export_consumer.h"
#include "wal/export/fake_export_source.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr HistoryId kHistory(7);
constexpr size_t kBudget = 1 << 20;

class ExportSessionTest : public testing::Test, public ExportHost {
 protected:
  ExportSessionTest() : source_(kHistory, 2) {
    options_.tokens = {.current = "secret", .previous = "older"};
    options_.max_queue_bytes = 64 << 10;
  }

  // ExportHost.
  std::optional<wire::Refuse> Admit(const std::string& consumer) override { return refusal_; }
  void OnPosition(const std::string& consumer, const ExportPosition& position,
                  uint64_t segment) override {
    positions_.push_back(position);
  }
  int64_t UnixMillis() override { return 1'700'000'000'000; }

  void Connect() { session_ = std::make_unique<ExportSession>(options_, this, &source_, now_); }
  wire::Hello Hello(wire::Hello::Start start = wire::Hello::BEGINNING) {
    wire::Hello hello;
    hello.set_min_version(1);
    hello.set_max_version(3);
    hello.set_consumer("test");
    hello.set_token("secret");
    hello.set_start(start);
    return hello;
  }
  wire::Hello Resume(HistoryId history, const Watermarks& positions) {
    wire::Hello hello = Hello(wire::Hello::RESUME);
    hello.set_history(history.value());
    tidemark::ToWire(positions, hello.mutable_positions());
    return hello;
  }
  void Say(const ExportControl& message) { session_->OnBytes(ExportCodec::Encode(message), now_); }
  void Ack(HistoryId history, const Watermarks& positions) {
    wire::Ack ack;
    ack.set_history(history.value());
    tidemark::ToWire(positions, ack.mutable_positions());
    Say(ack);
  }

  // What the session has to say, all of it written.
  std::vector<ExportMessage> Heard() {
    std::vector<ExportMessage> heard;
    while (true) {
      std::vector<std::string_view> pieces;
      session_->Gather(1, &pieces);
      if (pieces.empty()) return heard;
      const std::string bytes(pieces[0]);
      session_->OnWritten(bytes.size(), now_);
      std::string_view input = bytes;
      ExportMessage message;
      while (*reader_.Next(&input, &message)) heard.push_back(message);
    }
  }
  // The records of the frames of mutations in it, by "SHARD/FIRST-LAST".
  static std::vector<std::string> FramesIn(const std::vector<ExportMessage>& heard) {
    std::vector<std::string> frames;
    for (const ExportMessage& message : heard) {
      if (const auto* frame = std::get_if<FrameRef>(&message)) {
        frames.push_back(std::to_string((*frame)->shard().value()) + "/" +
                         std::to_string((*frame)->first_sequence().value()) + "-" +
                         std::to_string((*frame)->last_sequence().value()));
      }
    }
    return frames;
  }
  template <typename Message>
  static const Message* Find(const std::vector<ExportMessage>& heard) {
    for (const ExportMessage& message : heard) {
      if (const auto* control = std::get_if<ExportControl>(&message)) {
        if (const auto* found = std::get_if<Message>(control)) return found;
      }
    }
    return nullptr;
  }
  wire::Refuse::Code RefusalOf(const wire::Hello& hello) {
    Connect();
    Say(hello);
    const std::vector<ExportMessage> heard = Heard();
    const auto* refuse = Find<wire::Refuse>(heard);
    EXPECT_TRUE(refuse == nullptr || session_->closed());
    return refuse == nullptr ? wire::Refuse::CODE_UNKNOWN : refuse->code();
  }

  int64_t now_ = 1'000'000;
  ExportSession::Options options_;
  FakeExportSource source_;
  std::optional<wire::Refuse> refusal_;
  std::vector<ExportPosition> positions_;
  std::unique_ptr<ExportSession> session_;
  ExportReader reader_{ExportReader::Options{}};
};

TEST_F(ExportSessionTest, AConsumerGetsWhatIsDurableAndNothingElse) {
  source_.Append(0, 3);
  source_.AppendAndSync(1, 2);
  source_.Append(0, 5);
  Connect();
  Say(Hello());
  session_->Pump(kBudget, now_);
  const std::vector<ExportMessage> heard = Heard();
  const auto* accept = Find<wire::Accept>(heard);
  ASSERT_NE(accept, nullptr);
  EXPECT_EQ(accept->history(), kHistory.value());
  EXPECT_EQ(accept->shard_count(), 2u);
  EXPECT_THAT(accept->positions(), ElementsAre(0, 0));
  EXPECT_THAT(FramesIn(heard), ElementsAre("0/1-3", "1/1-2"));
  EXPECT_EQ(session_->exported().sequences, (Watermarks{Sequence(3), Sequence(2)}));

  source_.Sync();
  session_->Pump(kBudget, now_);
  EXPECT_THAT(FramesIn(Heard()), ElementsAre("0/4-8"));
}

TEST_F(ExportSessionTest, ExportedIsWhatWasWrittenNotWhatIsQueued) {
  source_.AppendAndSync(0, 3);
  Connect();
  Say(Hello());
  session_->Pump(kBudget, now_);
  const size_t queued = session_->output_bytes();
  session_->OnWritten(queued - 1, now_);
  EXPECT_EQ(session_->exported().sequences[0], Sequence(0));
  session_->OnWritten(1, now_);
  EXPECT_EQ(session_->exported().sequences[0], Sequence(3));
}

TEST_F(ExportSessionTest, StartNowBeginsAfterWhatIsDurable) {
  source_.AppendAndSync(0, 3);
  Connect();
  Say(Hello(wire::Hello::NOW));
  source_.AppendAndSync(0, 1);
  session_->Pump(kBudget, now_);
  EXPECT_THAT(FramesIn(Heard()), ElementsAre("0/4-4"));
}

TEST_F(ExportSessionTest, EveryFaultOfAHelloHasItsOwnAnswer) {
  source_.AppendAndSync(0, 10);
  using R = wire::Refuse;
  const Watermarks start(2);
  auto with = [&](auto change) {
    wire::Hello hello = Hello();
    change(hello);
    return RefusalOf(hello);
  };
  EXPECT_EQ(with([](auto& h) { h.set_min_version(2); }), R::VERSION);
  EXPECT_EQ(with([](auto& h) { h.set_token("Secret"); }), R::TOKEN);
  EXPECT_EQ(with([](auto& h) { h.set_token(""); }), R::TOKEN);
  EXPECT_EQ(with([](auto& h) { h.set_token(std::string(2'000, 's')); }), R::TOKEN);
  EXPECT_EQ(with([](auto& h) { h.set_token("older"); }), R::CODE_UNKNOWN);
  EXPECT_EQ(with([](auto& h) { h.set_consumer(""); }), R::BAD_HELLO);
  EXPECT_EQ(with([](auto& h) { h.set_consumer("a b"); }), R::BAD_HELLO);
  EXPECT_EQ(with([](auto& h) { h.set_consumer(std::string(65, 'a')); }), R::BAD_HELLO);
  EXPECT_EQ(with([](auto& h) { h.clear_start(); }), R::BAD_HELLO);
  EXPECT_EQ(with([](auto& h) { h.set_history(7); }), R::BAD_HELLO);
  EXPECT_EQ(with([](auto& h) { h.set_start(wire::Hello::RESUME); }), R::BAD_HELLO);
  EXPECT_EQ(RefusalOf(Resume(kHistory, Watermarks(3))), R::BAD_HELLO);
  EXPECT_EQ(RefusalOf(Resume(HistoryId(8), start)), R::FOREIGN_HISTORY);
  EXPECT_EQ(RefusalOf(Resume(kHistory, {Sequence(11), Sequence(0)})), R::FOREIGN_HISTORY);
  source_.DropDurable();
  EXPECT_EQ(RefusalOf(Resume(kHistory, start)), R::POSITION_LOST);
  refusal_.emplace().set_code(R::DUPLICATE_NAME);
  EXPECT_EQ(RefusalOf(Hello()), R::DUPLICATE_NAME);
}

TEST_F(ExportSessionTest, ALostPositionNamesShardAndSequences) {
  source_.AppendAndSync(1, 10);
  source_.DropDurable();
  Connect();
  Say(Resume(kHistory, {Sequence(0), Sequence(4)}));
  const std::vector<ExportMessage> heard = Heard();
  const auto* refuse = Find<wire::Refuse>(heard);
  ASSERT_NE(refuse, nullptr);
  ASSERT_THAT(refuse->lost(), SizeIs(1));
  EXPECT_EQ(refuse->lost(0).shard(), 1u);
  EXPECT_EQ(refuse->lost(0).first(), 5u);
  EXPECT_EQ(refuse->lost(0).last(), 10u);
}

TEST_F(ExportSessionTest, APositionThatIsLostWhileConnectedEndsTheStream) {
  Connect();
  Say(Hello());
  source_.AppendAndSync(0, 10);
  source_.DropDurable();
  session_->Pump(kBudget, now_);
  const std::vector<ExportMessage> heard = Heard();
  EXPECT_THAT(FramesIn(heard), IsEmpty());
  const auto* goodbye = Find<wire::Goodbye>(heard);
  ASSERT_NE(goodbye, nullptr);
  EXPECT_EQ(goodbye->code(), wire::Goodbye::POSITION_LOST);
  EXPECT_THAT(goodbye->lost(), SizeIs(1));
  EXPECT_TRUE(session_->closed());
}

TEST_F(ExportSessionTest, ADiskThatFailsIsSaidToBeThat) {
  Connect();
  Say(Hello());
  source_.BreakDisk();
  session_->Pump(kBudget, now_);
  const std::vector<ExportMessage> heard = Heard();
  ASSERT_NE(Find<wire::Goodbye>(heard), nullptr);
  EXPECT_EQ(Find<wire::Goodbye>(heard)->code(), wire::Goodbye::UNAVAILABLE);
}

TEST_F(ExportSessionTest, ASnapshotComesFirstAndIsCounted) {
  source_.AppendAndSync(0, 10);
  source_.TakeSnapshot(5);
  source_.AppendAndSync(0, 1);
  Connect();
  Say(Hello(wire::Hello::SNAPSHOT));
  session_->Pump(kBudget, now_);
  const std::vector<ExportMessage> heard = Heard();
  ASSERT_NE(Find<wire::Accept>(heard), nullptr);
  EXPECT_TRUE(Find<wire::Accept>(heard)->snapshot());
  EXPECT_THAT(FramesIn(heard), ElementsAre("0/10-10", "1/0-0", "0/11-11"));
  ASSERT_NE(Find<wire::SnapshotEnd>(heard), nullptr);
  EXPECT_EQ(Find<wire::SnapshotEnd>(heard)->chunks(), 2u);
  EXPECT_EQ(Find<wire::SnapshotEnd>(heard)->entries(), 10u);
  // Only then is there a position.
  EXPECT_THAT(positions_[0].sequences, IsEmpty());
}

TEST_F(ExportSessionTest, AConsumerFollowsACrashIntoTheChildHistory) {
  source_.AppendAndSync(0, 4);
  source_.Append(1, 9);  // Lost by the crash.
  source_.Fork(HistoryId(8), 2);
  source_.AppendAndSync(1, 2);
  Connect();
  Say(Resume(kHistory, {Sequence(1), Sequence(0)}));
  session_->Pump(kBudget, now_);
  const std::vector<ExportMessage> heard = Heard();
  EXPECT_THAT(FramesIn(heard), ElementsAre("0/1-4", "1/1-2"));
  const auto* change = Find<wire::HistoryChange>(heard);
  ASSERT_NE(change, nullptr);
  EXPECT_EQ(change->history(), 8u);
  EXPECT_THAT(change->positions(), ElementsAre(4, 0));

  Ack(kHistory, {Sequence(4), Sequence(0)});  // Late, and harmless.
  EXPECT_FALSE(session_->closed());
  Ack(HistoryId(8), {Sequence(4), Sequence(2)});
  EXPECT_EQ(session_->acked().history, HistoryId(8));
}

TEST_F(ExportSessionTest, AConsumerFollowsAChangeOfTheNumberOfShards) {
  source_.AppendAndSync(0, 4);
  source_.Fork(HistoryId(8), 3);
  source_.AppendAndSync(2, 2);
  Connect();
  Say(Resume(kHistory, Watermarks(2)));
  session_->Pump(kBudget, now_);
  const std::vector<ExportMessage> heard = Heard();
  EXPECT_THAT(FramesIn(heard), ElementsAre("0/1-4", "2/1-2"));
  EXPECT_EQ(session_->exported(),
            (ExportPosition{HistoryId(8), {Sequence(0), Sequence(0), Sequence(2)}}));
}

TEST_F(ExportSessionTest, AcksThatCannotBeEndTheConnection) {
  source_.AppendAndSync(0, 4);
  const std::vector<std::pair<HistoryId, Watermarks>> bad = {
      {kHistory, {Sequence(5), Sequence(0)}},      // More than was sent.
      {kHistory, {Sequence(1), Sequence(0)}},      // Less than before.
      {kHistory, {Sequence(2)}},                   // Of too few shards.
      {HistoryId(9), {Sequence(2), Sequence(0)}},  // Of no history of this stream.
  };
  for (const auto& [history, positions] : bad) {
    Connect();
    Say(Hello());
    session_->Pump(kBudget, now_);
    Ack(kHistory, {Sequence(2), Sequence(0)});
    ASSERT_EQ(session_->acked().sequences[0], Sequence(2));
    Ack(history, positions);
    const std::vector<ExportMessage> heard = Heard();
    ASSERT_NE(Find<wire::Goodbye>(heard), nullptr);
    EXPECT_EQ(Find<wire::Goodbye>(heard)->code(), wire::Goodbye::PROTOCOL);
    EXPECT_TRUE(session_->closed());
  }
}

TEST_F(ExportSessionTest, AConsumerThatDoesNotReadCostsItsQueueAndIsCut) {
  for (int i = 0; i < 1'000; ++i) source_.Append(0, 1, 1'000);
  source_.Sync();
  Connect();
  Say(Hello());
  while (session_->Pump(kBudget, now_)) {
  }
  EXPECT_LE(session_->output_bytes(), options_.max_queue_bytes + 2'000);
  EXPECT_EQ(session_->state(), ExportSession::State::kStreaming);
  now_ += options_.write_timeout_ms;
  session_->Tick(now_);
  EXPECT_TRUE(session_->closed());
  EXPECT_TRUE(session_->timed_out_writing());
}

TEST_F(ExportSessionTest, OneTurnTakesNoMoreThanItsBudget) {
  for (int i = 0; i < 10; ++i) source_.Append(0, 1, 1'000);
  source_.Sync();
  Connect();
  Say(Hello());
  Heard();
  EXPECT_TRUE(session_->Pump(2'000, now_));
  EXPECT_THAT(FramesIn(Heard()), SizeIs(2));
}

TEST_F(ExportSessionTest, SilenceIsCutAtItsDeadlines) {
  Connect();
  EXPECT_EQ(session_->NextDeadlineMs(), now_ + options_.hello_timeout_ms);
  session_->Tick(now_ + options_.hello_timeout_ms);
  ASSERT_NE(Find<wire::Refuse>(Heard()), nullptr);
  EXPECT_EQ(session_->refusal(), wire::Refuse::NO_HELLO);

  Connect();
  Say(Hello());
  const int64_t end = now_ + options_.silence_timeout_ms;
  for (; now_ < end; now_ += options_.heartbeat_interval_ms) {
    session_->Tick(now_);
    EXPECT_EQ(session_->goodbye(), wire::Goodbye::CODE_UNKNOWN);
    Heard();
  }
  session_->Tick(now_);
  Heard();
  EXPECT_EQ(session_->goodbye(), wire::Goodbye::SILENCE);
  EXPECT_TRUE(session_->closed());
}

TEST_F(ExportSessionTest, GarbageIsAnsweredAndDropped) {
  Connect();
  session_->OnBytes("GET / HTTP/1.1\r\n\r\n", now_);
  const std::vector<ExportMessage> heard = Heard();
  ASSERT_NE(Find<wire::Goodbye>(heard), nullptr);
  EXPECT_EQ(Find<wire::Goodbye>(heard)->code(), wire::Goodbye::PROTOCOL);
  EXPECT_THAT(Find<wire::Goodbye>(heard)->text(), HasSubstr("byte 0"));
  EXPECT_TRUE(session_->closed());
}

TEST_F(ExportSessionTest, DrainingSendsWhatIsDurableThenSaysGoodbye) {
  Connect();
  Say(Hello());
  source_.AppendAndSync(0, 4);
  session_->BeginDrain();
  session_->Pump(kBudget, now_);
  const std::vector<ExportMessage> heard = Heard();
  EXPECT_THAT(FramesIn(heard), ElementsAre("0/1-4"));
  ASSERT_NE(Find<wire::Goodbye>(heard), nullptr);
  EXPECT_EQ(Find<wire::Goodbye>(heard)->code(), wire::Goodbye::STOPPING);
  EXPECT_TRUE(session_->closed());
}

TEST_F(ExportSessionTest, InConnectModeTheNodeShowsTheTokenFirst) {
  options_.dialled = true;
  Connect();
  const std::vector<ExportMessage> heard = Heard();
  ASSERT_NE(Find<wire::Dial>(heard), nullptr);
  EXPECT_EQ(Find<wire::Dial>(heard)->token(), "secret");
  Say(Hello());
  EXPECT_TRUE(session_->accepted());
}

// --- The documented bytes ---

TEST(ExportMessageTest, AHelloIsAsDocumented) {
  wire::Hello hello;
  hello.set_min_version(1);
  hello.set_max_version(1);
  hello.set_consumer("demo");
  hello.set_token("s3cret");
  hello.set_start(wire::Hello::NOW);
  const std::string_view expected(
      "TDMX\x01\x01\x00\x00"
      "\x14\x00\x00\x00"
      "\x6d\xd4\x2a\xa6"
      "\x08\x01\x10\x01"
      "\x1a\x04"
      "demo"
      "\x22\x06"
      "s3cret"
      "\x28\x02",
      36);
  EXPECT_EQ(testing::PrintToString(ExportCodec::Encode(hello)),
            testing::PrintToString(std::string(expected)));
}

}  // namespace
}  // namespace tidemark::wal
