#include "cache/session.h"

#include <random>

#include "cache/engine_test_util.h"
#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

Engine::Options WithShards(int shards) {
  Engine::Options options;
  options.shard_count = shards;
  return options;
}

// Sends all lines at once on shard 0 and returns the replies, one a line.
std::vector<std::string> Pipeline(Engine& engine, const std::vector<std::string>& lines) {
  std::promise<std::vector<std::string>> done;
  std::unique_ptr<TestSession> session;
  engine.Post(ShardId(0), [&](Shard& shard) {
    session = std::make_unique<TestSession>(shard);
    const auto finish = [&, finished = false]() mutable {
      if (finished || session->replies.size() < lines.size()) return;
      finished = true;
      std::vector<std::string> replies;
      for (const Value& value : session->replies) replies.push_back(ToString(value));
      done.set_value(std::move(replies));
    };
    session->on_replies = finish;
    for (const std::string& line : lines) session->Send(line);
    // Everything may have been answered at once; no notification comes then.
    if (session->session.pending() == 0) session->on_replies();
  });
  std::future<std::vector<std::string>> replies = done.get_future();
  EXPECT_EQ(replies.wait_for(kTestDeadline), std::future_status::ready);
  OnShard(engine, ShardId(0), [&](Shard&) { session.reset(); });
  return replies.get();
}

TEST(SessionTest, RepliesKeepTheOrderOfLocalRemoteAndSpanningCommands) {
  Engine engine(WithShards(3));
  engine.Start();
  const std::string here = KeyOn(engine, 0);
  const std::string there = KeyOn(engine, 1);
  const std::string far = KeyOn(engine, 2);
  EXPECT_EQ(Pipeline(engine, {"SET " + there + " 1", "SET " + here + " 2", "SET " + far + " 3",
                              "INCR " + here, "MGET " + here + " " + there + " " + far,
                              "INCR " + there, "GET " + here, "GET " + there,
                              "MSET " + here + " 7 " + far + " 8", "GET " + far, "GET " + here,
                              "DEL " + here + " " + there + " " + far, "DBSIZE"}),
            (std::vector<std::string>{"OK", "OK", "OK", "(integer) 3", "[\"3\", \"1\", \"3\"]",
                                      "(integer) 2", "\"3\"", "\"2\"", "OK", "\"8\"", "\"7\"",
                                      "(integer) 3", "(integer) 0"}));
}

// Tiny rings and bounds, so that messages spill and sessions pause; the answers show what was lost
// or came out of order.
TEST(SessionTest, LongPipelinesSurviveFullRingsAndBounds) {
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Engine::Options options = WithShards(3);
    options.mesh_ring_messages = 1;
    options.mesh_spill_bytes = 2000;
    options.park_timeout_ms = 30'000;  // A lost wake would show.
    options.tick_ms = 30'000;
    Engine engine(std::move(options));
    engine.Start();
    std::map<std::string, int> counters;
    std::vector<std::string> lines;
    std::vector<std::string> expected;
    for (int i = 0; i < 5000; ++i) {
      const std::string key = "c" + std::to_string(random() % 20);
      const std::string other = "c" + std::to_string(random() % 20);
      switch (random() % 10) {
        case 0: {
          lines.push_back("MSET " + key + " " + std::to_string(i) + " " + other + " " +
                          std::to_string(i));
          counters[key] = counters[other] = i;
          expected.push_back("OK");
          break;
        }
        case 1: {
          lines.push_back("EXISTS " + key + " " + other);
          expected.push_back("(integer) " +
                             std::to_string(counters.count(key) + counters.count(other)));
          break;
        }
        default:
          lines.push_back("INCR " + key);
          expected.push_back("(integer) " + std::to_string(++counters[key]));
      }
    }
    EXPECT_EQ(Pipeline(engine, lines), expected);
  }
}

TEST(SessionTest, LargeValuesTravelByReferenceAndArriveWhole) {
  Engine engine(WithShards(2));
  engine.Start();
  Client client(engine);
  const std::string there = KeyOn(engine, 1);
  const std::string value(1 << 20, 'v');
  client.Call({"SET", there, value});
  EXPECT_EQ(Pipeline(engine, {"GET " + there}).front(), "\"" + value + "\"");
}

TEST(SessionTest, SlotsKeepTheirPlace) {
  Engine engine(WithShards(2));
  engine.Start();
  const std::string here = KeyOn(engine, 0);
  const std::vector<Value> replies = OnShard(engine, ShardId(0), [&](Shard& shard) {
    TestSession session(shard);
    session.session.OrderedReply().Status("first");
    const Session::SlotId slot = session.session.OpenSlot();
    session.Send("INCR " + here);
    session.session.OrderedReply().Status("after");
    EXPECT_EQ(session.replies.size(), 1u);
    EXPECT_EQ(session.session.pending(), 3u);
    session.session.CompleteSlot(slot, [](ReplyBuilder& reply) { reply.Status("late"); });
    EXPECT_EQ(session.session.pending(), 0u);
    return session.replies;
  });
  std::vector<std::string> texts;
  for (const Value& reply : replies) texts.push_back(ToString(reply));
  EXPECT_EQ(texts, (std::vector<std::string>{"first", "late", "(integer) 1", "after"}));
}

TEST(SessionTest, SpanningCommandHoldsLaterOnesBack) {
  Engine engine(WithShards(2));
  engine.Start();
  const std::string a = KeyOn(engine, 0);
  const std::string b = KeyOn(engine, 1);
  OnShard(engine, ShardId(0), [&](Shard& shard) {
    TestSession session(shard);
    session.Send("MSET " + a + " 1 " + b + " 2");
    EXPECT_FALSE(session.session.ready());
    return 0;  // The session dies with its reply under way.
  });
  Client client(engine);
  EXPECT_EQ(ToString(client.Call({"MGET", a, b})), "[\"1\", \"2\"]");
}

TEST(SessionTest, AnswersForADeadSessionAreDropped) {
  Engine engine(WithShards(3));
  engine.Start();
  for (int round = 0; round < 50; ++round) {
    OnShard(engine, ShardId(0), [&](Shard& shard) {
      TestSession session(shard);
      for (int i = 0; i < 20; ++i) session.Send("INCR " + KeyOn(engine, i % 3));
      session.Send("MGET " + KeyOn(engine, 0) + " " + KeyOn(engine, 1));
    });
  }
  Client client(engine);
  // The commands themselves run, though the last ones may still be on their way.
  const auto deadline = std::chrono::steady_clock::now() + kTestDeadline;
  std::string count;
  while (count != "350" && std::chrono::steady_clock::now() < deadline) {
    count = client.Call({"GET", KeyOn(engine, 1)}).text;
  }
  EXPECT_EQ(count, "350");
}

TEST(SessionTest, SlowCommandsAreLoggedByTheSessionsShard) {
  Engine engine(WithShards(2));
  engine.Start();
  const std::string a = KeyOn(engine, 0);
  const std::string b = KeyOn(engine, 1);
  std::unique_ptr<TestSession> session;
  std::promise<void> done;
  OnShard(engine, ShardId(0), [&](Shard& shard) {
    shard.slow_log().set_threshold_us(0);
    session = std::make_unique<TestSession>(shard);
    session->session.address = "10.0.0.1:99";
    session->on_replies = [&] {
      if (session->replies.size() == 3) done.set_value();
    };
    session->Send("GET " + a);
    session->Send("GET " + b);
    session->Send("MGET " + a + " " + b);
  });
  ASSERT_EQ(done.get_future().wait_for(kTestDeadline), std::future_status::ready);
  const auto entries = OnShard(engine, ShardId(0), [&](Shard& shard) {
    session.reset();
    return shard.slow_log().entries();
  });
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].args, (std::vector<std::string>{"MGET", a, b}));
  EXPECT_EQ(entries[1].args, (std::vector<std::string>{"GET", b}));
  EXPECT_EQ(entries[2].args, (std::vector<std::string>{"GET", a}));
  for (const SlowLog::Entry& entry : entries) EXPECT_EQ(entry.client_address, "10.0.0.1:99");
}

// Writes down the marks of transactions.
class MarkingSink final : public MutationSink {
 public:
  void Set(std::string_view key, std::string_view value, const Expiry&) override { Add("set"); }
  void Delete(std::string_view key, DeleteCause) override { Add("del"); }
  void Expire(std::string_view, const Expiry&) override { Add("expire"); }
  void SetRange(std::string_view, uint64_t, std::string_view) override { Add("setrange"); }
  void Flush() override { Add("flush"); }
  void BeginTransaction(const TransactionInfo& info) override {
    text += "(";
    for (ShardId shard : info.participants) text += std::to_string(shard.value());
    text += " ";
    ids.push_back(info.id);
  }
  void EndTransaction() override { text += ")"; }
  Sequence assigned() const override { return Sequence(sequence_); }

  std::string text;
  std::vector<uint64_t> ids;

 private:
  void Add(const char* what) {
    text += what;
    text += ";";
    ++sequence_;
  }
  uint64_t sequence_ = 0;
};

class TransactionMarksTest : public testing::Test {
 protected:
  TransactionMarksTest() {
    Engine::Options options = WithShards(3);
    options.sink_of = [this](ShardId id) { return &sinks_[id.value()]; };
    engine_ = std::make_unique<Engine>(std::move(options));
    engine_->Start();
    client_ = std::make_unique<Client>(*engine_);
  }
  // What each shard's sink was told, separated by '|'.
  std::string MarksOf(const std::vector<std::string>& command) {
    client_->Call(command);
    std::string all;
    ids_.clear();
    for (uint16_t i = 0; i < 3; ++i) {
      all += OnShard(*engine_, ShardId(i), [&](Shard&) {
        ids_.insert(ids_.end(), sinks_[i].ids.begin(), sinks_[i].ids.end());
        sinks_[i].ids.clear();
        return std::exchange(sinks_[i].text, "");
      });
      if (i < 2) all += "|";
    }
    return all;
  }
  std::string Key(int shard, int n = 0) { return KeyOn(*engine_, shard, n); }

  MarkingSink sinks_[3];
  std::vector<uint64_t> ids_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Client> client_;
};

TEST_F(TransactionMarksTest, EveryWriterMarksItsPartWithOneId) {
  EXPECT_EQ(MarksOf({"MSET", Key(0), "1", Key(2), "2", Key(0, 1), "3"}),
            "(02 set;set;)||(02 set;)");
  ASSERT_EQ(ids_.size(), 2u);
  EXPECT_EQ(ids_[0], ids_[1]);
  const uint64_t first = ids_[0];
  EXPECT_EQ(MarksOf({"RENAME", Key(0), Key(1)}), "(01 del;)|(01 set;)|");
  EXPECT_NE(ids_[0], first);
  EXPECT_EQ(MarksOf({"COPY", Key(1), Key(0)}), "(0 set;)||");
  EXPECT_EQ(MarksOf({"FLUSHALL"}), "(012 flush;)|(012 flush;)|(012 flush;)");
}

TEST_F(TransactionMarksTest, SeveralKeysOfOneShardAreOneTransactionOfThatShard) {
  EXPECT_EQ(MarksOf({"MSET", Key(1), "1", Key(1, 1), "2"}), "|(1 set;set;)|");
  EXPECT_EQ(MarksOf({"DEL", Key(1)}), "|del;|");
  EXPECT_EQ(MarksOf({"SET", Key(1), "1"}), "|set;|");
}

TEST_F(TransactionMarksTest, WhatIsRefusedWritesNothing) {
  MarksOf({"SET", Key(1), "1"});
  EXPECT_EQ(MarksOf({"MSETNX", Key(0), "1", Key(1), "2"}), "||");
  MarksOf({"SET", Key(2), "1"});
  EXPECT_EQ(MarksOf({"RENAMENX", Key(1), Key(2)}), "||");
  EXPECT_EQ(MarksOf({"RENAME", Key(0), Key(2)}), "||");
}

TEST_F(TransactionMarksTest, WrittenNamesWhatTheSessionMustWaitFor) {
  std::unique_ptr<TestSession> session;
  std::promise<Watermarks> written;
  OnShard(*engine_, ShardId(0), [&](Shard& shard) {
    session = std::make_unique<TestSession>(shard);
    session->on_replies = [&] {
      if (session->replies.size() == 3) written.set_value(session->session.written());
    };
    session->Send("SET " + Key(0) + " 1");
    session->Send("SET " + Key(1) + " 1");
    session->Send("MSET " + Key(0) + " 2 " + Key(1) + " 3");
  });
  EXPECT_EQ(written.get_future().get(), (Watermarks{Sequence(2), Sequence(2), Sequence(0)}));
  OnShard(*engine_, ShardId(0), [&](Shard&) { session.reset(); });
}

}  // namespace
}  // namespace tidemark::cache
