// Commands on values that are on disk, through the whole engine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cache/engine_test_util.h"
#include "cache/fake_tier.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A value as tests send it, and as its answer begins.
std::string Long(char c) { return std::string(100, c); }
std::string Text(char c) { return "\"" + std::string(19, c); }

// One shard. Nothing comes from disk unless the test says so.
class ColdSessionTest : public testing::Test {
 protected:
  template <typename Work>
  auto On(Work work) {
    return OnShard(engine_, ShardId(0), std::move(work));
  }

  ColdSessionTest() : engine_(Engine::Options()) {
    ColdValues::Options options;
    options.promote = [this](std::string_view key, const tier::ValueLocation& at,
                             const tier::ReadValue& value) {
      ColdValues& cold = *engine_.shard(ShardId(0)).cold_values();
      if (!promotes_) return;
      EXPECT_TRUE(cold.landings().Add(key, at, value));
    };
    engine_.shard(ShardId(0)).AttachTier(options, &tier_);
    engine_.Start();
    On([&](Shard& shard) { session_ = std::make_unique<TestSession>(shard); });
  }
  ~ColdSessionTest() override {
    On([&](Shard& shard) {
      tier_.FinishAll();
      session_.reset();
      EXPECT_TRUE(shard.locks_empty());
      EXPECT_EQ(tier_.live(), shard.keyspace().cold_size());
    });
    engine_.Stop();
  }

  // Stores the value and sends it to disk.
  void Chill(const std::string& key, const std::string& value) {
    On([&](Shard& shard) {
      const KeyRef ref = KeyRef::Of(key);
      shard.keyspace().Set(ref, value, kNoExpiry);
      ASSERT_TRUE(shard.cold_values()->Take(*shard.keyspace().Look(ref), ref.hash));
      ASSERT_TRUE(tier_.FinishWrite());
      ASSERT_TRUE(shard.keyspace().Look(ref)->cold());
    });
  }
  bool IsCold(const std::string& key) {
    return On([&](Shard& shard) {
      const Entry* entry = shard.keyspace().Look(KeyRef::Of(key));
      return entry != nullptr && entry->cold();
    });
  }
  void Damage(const std::string& key) {
    On([&](Shard& shard) { tier_.Damage(shard.keyspace().Look(KeyRef::Of(key))->location()); });
  }
  void Send(std::vector<std::string> lines) {
    On([&](Shard&) {
      for (const std::string& line : lines) session_->Send(line);
    });
  }
  // Answers one read from disk.
  void FinishRead(size_t which = 0) {
    On([&](Shard&) { ASSERT_TRUE(tier_.FinishRead(which)); });
  }
  size_t Reads() {
    return On([&](Shard&) { return tier_.reads_under_way(); });
  }
  // What has been answered since the last call, each cut to its first 20 characters.
  std::vector<std::string> Answers() {
    On([](Shard&) {});  // What is granted and told runs in the turn of the task before.
    return On([&](Shard&) {
      std::vector<std::string> texts;
      for (const Value& value : session_->replies) texts.push_back(ToString(value).substr(0, 20));
      session_->replies.clear();
      return texts;
    });
  }

  FakeTier tier_;
  Engine engine_;
  std::unique_ptr<TestSession> session_;
  bool promotes_ = false;  // What was read, at the end of the turn.
};

TEST_F(ColdSessionTest, CommandsThatNeedNoValueNeverTouchTheDisk) {
  Chill("k", Long('a'));
  Send({"STRLEN k", "EXISTS k", "TYPE k", "TTL k", "EXPIRE k 100", "PERSIST k", "TOUCH k",
        "SETNX k x", "DBSIZE"});
  EXPECT_THAT(Answers(),
              ElementsAre("(integer) 100", "(integer) 1", "string", "(integer) -1", "(integer) 1",
                          "(integer) 1", "(integer) 1", "(integer) 0", "(integer) 1"));
  EXPECT_TRUE(IsCold("k"));
  Send({"SET k new", "GET k", "DEL k"});
  EXPECT_THAT(Answers(), ElementsAre("OK", "\"new\"", "(integer) 1"));
  EXPECT_EQ(tier_.reads_begun(), 0u);
}

TEST_F(ColdSessionTest, AReadAnswersWithoutTakingTheValueIntoMemory) {
  Chill("k", Long('a'));
  Send({"GET k"});
  EXPECT_THAT(Answers(), IsEmpty());
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre(Text('a')));
  EXPECT_TRUE(IsCold("k"));
  const KeyspaceStats stats = On([](Shard& shard) { return shard.keyspace().stats(); });
  EXPECT_EQ(stats.hits, 1u);
}

TEST_F(ColdSessionTest, ReadsOfSeveralKeysGoOnAtOnceAndAnswerInOrder) {
  for (char c : {'a', 'b', 'c'}) Chill(std::string(1, c), Long(c));
  Send({"SET hot 1", "GET a", "GET b", "GET c", "GET hot"});
  EXPECT_EQ(Reads(), 3u);
  FinishRead(2);
  FinishRead(1);
  EXPECT_THAT(Answers(), ElementsAre("OK"));
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre(Text('a'), Text('b'), Text('c'), "\"1\""));
}

TEST_F(ColdSessionTest, CommandsOnOneKeyKeepTheirOrderWhileItIsRead) {
  Chill("k", Long('a'));
  Send({"GET k", "SET k b", "GET k", "APPEND k c", "GET k"});
  EXPECT_THAT(Answers(), IsEmpty());
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre(Text('a'), "OK", "\"b\"", "(integer) 2", "\"bc\""));
}

TEST_F(ColdSessionTest, ChangesOfAPartTakeTheValueIntoMemory) {
  Chill("k", Long('a'));
  Send({"APPEND k zz", "GETRANGE k 98 -1"});
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre("(integer) 102", "\"aazz\""));
  EXPECT_FALSE(IsCold("k"));
  Chill("k", Long('b'));
  Send({"SETRANGE k 1 xyz", "GETRANGE k 0 5"});
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre("(integer) 100", "\"bxyzbb\""));
}

TEST_F(ColdSessionTest, CommandsOfSeveralKeysReadAllOfThemFirst) {
  Chill("a", Long('a'));
  Chill("b", Long('b'));
  Send({"MGET a x b", "LCS a b LEN", "COPY a c", "RENAME b d", "STRLEN d"});
  while (Reads() > 0) FinishRead(Reads() - 1);
  std::vector<std::string> answers = Answers();
  while (Reads() > 0) {
    FinishRead();
    for (const std::string& answer : Answers()) answers.push_back(answer);
  }
  ASSERT_EQ(answers.size(), 5u);
  EXPECT_EQ(answers[0], "[" + Text('a').substr(0, 19));
  EXPECT_THAT(std::vector(answers.begin() + 1, answers.end()),
              ElementsAre("(integer) 0", "(integer) 1", "OK", "(integer) 100"));
}

TEST_F(ColdSessionTest, AValueThatCannotBeReadIsAnErrorOfItsKeyAlone) {
  Chill("k", Long('a'));
  Chill("good", Long('g'));
  Damage("k");
  Send({"GET k", "APPEND k x", "MGET good k", "GET good", "STRLEN k"});
  std::vector<std::string> answers;
  while (Reads() > 0) {
    FinishRead();
    for (const std::string& answer : Answers()) answers.push_back(answer.substr(0, 12));
  }
  EXPECT_THAT(answers, ElementsAre("(error) TIER", "(error) TIER", "(error) TIER",
                                   Text('g').substr(0, 12), "(integer) 10"));
  // Overwriting mends it.
  Send({"SET k b", "GET k"});
  EXPECT_THAT(Answers(), ElementsAre("OK", "\"b\""));
}

// --- What the page cache has needs no waiting. ---

TEST_F(ColdSessionTest, ACommandWhoseValuesAreCachedIsAnsweredAtOnce) {
  for (char c : {'a', 'b', 'c', 'd'}) Chill(std::string(1, c), Long(c));
  On([&](Shard&) { tier_.set_cached([](std::string_view) { return true; }); });
  Send({"GET a", "MGET a b", "LCS a b LEN", "APPEND b x", "RENAME c e", "GETDEL d"});
  const std::vector<std::string> answers = Answers();
  EXPECT_THAT(answers, ElementsAre(Text('a'), "[" + Text('a').substr(0, 19), "(integer) 0",
                                   "(integer) 101", "OK", Text('d')));
  EXPECT_TRUE(IsCold("a"));
  EXPECT_FALSE(IsCold("b"));
  EXPECT_EQ(tier_.reads_begun(), 0u);
  On([](Shard& shard) {
    EXPECT_EQ(shard.cold_values()->counters().commands_waited, 0u);
    const int get = shard.engine().commands().Find("GET")->id;
    EXPECT_EQ(shard.command_stats().row(get).calls, 1u);
  });
}

TEST_F(ColdSessionTest, ACommandWaitsOnlyForWhatIsNotCached) {
  for (char c : {'a', 'b', 'c'}) Chill(std::string(1, c), Long(c));
  On([&](Shard&) { tier_.set_cached([](std::string_view key) { return key != "b"; }); });
  Send({"MGET a b c", "GET a", "SET b new", "GET b"});
  EXPECT_EQ(Reads(), 1u);
  EXPECT_THAT(Answers(), IsEmpty());
  const uint64_t asked = On([&](Shard&) { return tier_.cached_asked(); });
  EXPECT_EQ(asked, 4u) << "what was staged or looked for once is not looked for again";
  FinishRead();
  const std::vector<std::string> answers = Answers();
  EXPECT_THAT(answers, ElementsAre("[" + Text('a').substr(0, 19), Text('a'), "OK", "\"new\""));
}

TEST_F(ColdSessionTest, ACachedValueThatIsDamagedIsTheSameError) {
  Chill("k", Long('a'));
  Damage("k");
  On([&](Shard&) { tier_.set_cached([](std::string_view) { return true; }); });
  Send({"GET k", "SET k b", "GET k"});
  const std::vector<std::string> answers = Answers();
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].substr(0, 12), "(error) TIER");
  EXPECT_EQ(answers[2], "\"b\"");
}

// What was read for a command is nobody else's, though nobody waited for it.
TEST_F(ColdSessionTest, WhatWasReadAtOnceIsForgottenAtOnce) {
  Chill("k", Long('a'));
  On([&](Shard&) { tier_.set_cached([](std::string_view) { return true; }); });
  Send({"GET k"});
  On([&](Shard& shard) {
    const Entry* const entry = shard.keyspace().Look(KeyRef::Of("k"));
    EXPECT_EQ(shard.cold_access().Look(*entry), nullptr);
    shard.cold_access().TakeNeeded();
    tier_.set_cached([](std::string_view) { return false; });
  });
  Send({"GET k"});
  EXPECT_EQ(Reads(), 1u);
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre(Text('a'), Text('a')));
}

// --- What a turn has read it takes back when it has answered. ---

TEST_F(ColdSessionTest, APromotionLandsAtTheEndOfItsTurn) {
  Chill("k", Long('a'));
  On([&](Shard& shard) {
    promotes_ = true;
    tier_.set_cached([](std::string_view) { return true; });
    session_->Send("GET k");
    EXPECT_TRUE(shard.keyspace().Look(KeyRef::Of("k"))->cold());
  });
  EXPECT_FALSE(IsCold("k"));
  Send({"GET k"});
  EXPECT_THAT(Answers(), ElementsAre(Text('a'), Text('a')));
  EXPECT_EQ(tier_.cached_asked(), 1u);
  On([](Shard& shard) { EXPECT_EQ(shard.cold_values()->counters().promoted, 1u); });
}

TEST_F(ColdSessionTest, APutInTheSameTurnWinsOverAPromotion) {
  Chill("k", Long('a'));
  Chill("gone", Long('g'));
  On([&](Shard&) {
    promotes_ = true;
    tier_.set_cached([](std::string_view) { return true; });
  });
  Send({"GET k", "SET k b", "GET gone", "DEL gone"});
  Send({"GET k", "EXISTS gone"});
  EXPECT_THAT(Answers(),
              ElementsAre(Text('a'), "OK", Text('g'), "(integer) 1", "\"b\"", "(integer) 0"));
  On([](Shard& shard) {
    EXPECT_EQ(shard.cold_values()->counters().promotions_stale, 2u);
    EXPECT_EQ(shard.cold_values()->counters().promoted, 0u);
  });
}

// With a tier that takes nothing, reads would take all that is on disk into memory.
TEST_F(ColdSessionTest, APromotionNeverTakesMemoryBeyondItsLimit) {
  Chill("k", Long('a'));
  On([&](Shard&) {
    promotes_ = true;
    tier_.set_cached([](std::string_view) { return true; });
    tier_.set_refuse_writes(tier::WriteOutcome::kFull);
  });
  EvictionOptions options;
  options.policy = EvictionPolicy::kNoEviction;
  engine_.LimitMemory(1, options);
  On([](Shard&) {});  // It is in force.
  Send({"GET k"});
  EXPECT_TRUE(IsCold("k"));
  On([](Shard& shard) { EXPECT_EQ(shard.cold_values()->counters().promotions_held_back, 1u); });
  engine_.LimitMemory(MemoryBudget::kUnlimited, options);
  Send({"GET k"});
  EXPECT_FALSE(IsCold("k"));
  EXPECT_THAT(Answers(), ElementsAre(Text('a'), Text('a')));
}

// --- The races, each by name. ---

TEST_F(ColdSessionTest, PutAgainstDemotion) {
  Send({"SET k " + Long('a')});
  On([&](Shard& shard) {
    const KeyRef key = KeyRef::Of("k");
    ASSERT_TRUE(shard.cold_values()->Take(*shard.keyspace().Look(key), key.hash));
    EXPECT_FALSE(shard.cold_values()->Wants(*shard.keyspace().Look(key)));
  });
  Send({"SET k " + Long('b')});
  On([&](Shard& shard) {
    ASSERT_TRUE(tier_.FinishWrite());
    EXPECT_EQ(shard.cold_values()->counters().demotions_stale, 1u);
    EXPECT_EQ(shard.cold_values()->pending_bytes(), 0u);
  });
  EXPECT_FALSE(IsCold("k"));
  Send({"GET k"});
  EXPECT_THAT(Answers(), ElementsAre("OK", "OK", Text('b')));
}

TEST_F(ColdSessionTest, DeleteAgainstPromotion) {
  Chill("k", Long('a'));
  const tier::ValueLocation at =
      On([](Shard& shard) { return shard.keyspace().Look(KeyRef::Of("k"))->location(); });
  Send({"DEL k"});
  EXPECT_FALSE(
      On([&](Shard& shard) { return shard.cold_values()->Land(KeyRef::Of("k"), at, Long('a')); }));
  Send({"EXISTS k"});
  EXPECT_THAT(Answers(), ElementsAre("(integer) 1", "(integer) 0"));
}

TEST_F(ColdSessionTest, APromotionLandsWhileCommandsWait) {
  Chill("k", Long('a'));
  Send({"GET k", "APPEND k b"});
  On([&](Shard& shard) {
    const KeyRef key = KeyRef::Of("k");
    const tier::ValueLocation at = shard.keyspace().Look(key)->location();
    EXPECT_TRUE(shard.cold_values()->Land(key, at, Long('a')));
    EXPECT_FALSE(shard.cold_values()->Land(key, at, Long('a')));
    EXPECT_EQ(shard.cold_values()->counters().promoted, 1u);
  });
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre(Text('a'), "(integer) 101"));
}

TEST_F(ColdSessionTest, ExpiryWhileItIsRead) {
  Chill("k", Long('a'));
  Send({"PEXPIRE k 1", "GET k"});
  On([](Shard& shard) {
    while (shard.clock().UnixMillis() <= shard.now_ms() + 1) {
    }
  });
  On([](Shard& shard) { shard.keyspace().set_now_ms(shard.now_ms() + 10); });
  while (Reads() > 0) FinishRead();
  EXPECT_THAT(Answers(), ElementsAre("(integer) 1", "(nil)"));
}

TEST_F(ColdSessionTest, AReplicasPrimaryChangesTheKeyWhileItIsRead) {
  Chill("k", Long('a'));
  Send({"GET k"});
  On([](Shard& shard) { shard.keyspace().ApplySet(KeyRef::Of("k"), "new", kNoExpiry); });
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre("\"new\""));
}

TEST_F(ColdSessionTest, MovedByReclaimWhileItIsRead) {
  Chill("k", Long('a'));
  Send({"GET k"});
  On([&](Shard& shard) {
    EXPECT_TRUE(tier_.Reclaim(shard.keyspace().Look(KeyRef::Of("k"))->location()));
  });
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre(Text('a')));
}

TEST_F(ColdSessionTest, AFlushWaitsForReadsAndTheyForNobody) {
  Chill("k", Long('a'));
  Send({"GET k", "FLUSHALL", "GET k"});
  EXPECT_THAT(Answers(), IsEmpty());
  FinishRead();
  EXPECT_THAT(Answers(), ElementsAre(Text('a'), "OK", "(nil)"));
}

TEST_F(ColdSessionTest, ReadsThatTheFrontHasNoRoomForComeLater) {
  for (char c : {'a', 'b', 'c'}) Chill(std::string(1, c), Long(c));
  On([&](Shard&) { tier_.set_max_reads(1); });
  Send({"GET a", "GET b", "GET c"});
  std::vector<std::string> answers;
  for (int i = 0; i < 3; ++i) {
    while (Reads() == 0) {
    }
    FinishRead();
    for (const std::string& answer : Answers()) answers.push_back(answer);
  }
  EXPECT_THAT(answers, ElementsAre(Text('a'), Text('b'), Text('c')));
}

TEST_F(ColdSessionTest, TheSessionGoesWhileItsCommandWaits) {
  Chill("k", Long('a'));
  Send({"APPEND k b"});
  On([&](Shard&) { session_.reset(); });
  FinishRead();
  EXPECT_EQ(On([](Shard& shard) { return shard.keyspace().Look(KeyRef::Of("k"))->value_bytes(); }),
            101u);
}

TEST_F(ColdSessionTest, AFailedWriteLeavesTheValueInMemory) {
  Send({"SET k " + Long('a')});
  On([&](Shard& shard) {
    tier_.set_fail_writes(true);
    const KeyRef key = KeyRef::Of("k");
    ASSERT_TRUE(shard.cold_values()->Take(*shard.keyspace().Look(key), key.hash));
    ASSERT_TRUE(tier_.FinishWrite());
    EXPECT_EQ(shard.cold_values()->counters().demotions_failed, 1u);
    EXPECT_TRUE(shard.cold_values()->Wants(*shard.keyspace().Look(key)));
  });
  EXPECT_FALSE(IsCold("k"));
}

TEST_F(ColdSessionTest, AFullTierWantsNothingForAWhile) {
  Send({"SET k " + Long('a'), "SET longer " + Long('a') + Long('b')});
  On([&](Shard& shard) {
    Keyspace& keyspace = shard.keyspace();
    const KeyRef key = KeyRef::Of("k");
    const KeyRef longer = KeyRef::Of("longer");
    ColdValues& cold = *shard.cold_values();
    tier_.set_refuse_writes(tier::WriteOutcome::kFull);
    EXPECT_FALSE(cold.Take(*keyspace.Look(key), key.hash));
    EXPECT_FALSE(cold.Wants(*keyspace.Look(key)));
    keyspace.set_now_ms(keyspace.now_ms() + ColdValues::kRefusedPauseMs);
    EXPECT_TRUE(cold.Wants(*keyspace.Look(key)));
    tier_.set_refuse_writes(tier::WriteOutcome::kTooLarge);
    EXPECT_FALSE(cold.Take(*keyspace.Look(longer), longer.hash));
    EXPECT_FALSE(cold.Wants(*keyspace.Look(longer)));
    EXPECT_TRUE(cold.Wants(*keyspace.Look(key)));
  });
}

TEST_F(ColdSessionTest, WhoAppliesWhatCannotBeRefusedGoesOnAtThePaceOfTheDisk) {
  constexpr size_t kLimitBytes = 4 << 20;
  EvictionOptions options;
  options.policy = EvictionPolicy::kNoEviction;
  engine_.LimitMemory(kLimitBytes, options);
  int done = 0;
  const auto apply = [&](const std::string& prefix) {
    On([&](Shard& shard) {
      const std::string value(100'000, 'v');
      for (int i = 0; i < 200; ++i) {
        shard.keyspace().ApplySet(KeyRef::Of(prefix + std::to_string(i)), value, kNoExpiry);
      }
      shard.PaceApply(200 * value.size(), [&] { ++done; });
    });
  };
  apply("a");
  On([&](Shard& shard) {
    EXPECT_EQ(done, 0);
    EXPECT_TRUE(shard.writes_should_wait());
    EXPECT_GT(tier_.writes_under_way(), 50u);
  });
  bool applied = false;
  for (int turn = 0; turn < 100 && !applied; ++turn) {
    On([&](Shard&) { tier_.FinishAll(); });
    applied = On([&](Shard&) { return done == 1; });
  }
  EXPECT_TRUE(applied);
  On([&](Shard& shard) {
    const Keyspace& keyspace = shard.keyspace();
    EXPECT_LE(keyspace.memory_bytes(), kLimitBytes + ColdValues::kMaxWritingBytes + 200'000);
    EXPECT_EQ(keyspace.size(), 200u);
  });
  // Without a limit nobody waits, and who waits goes on.
  apply("b");
  engine_.LimitMemory(MemoryBudget::kUnlimited, options);
  bool gone_on = false;
  for (int turn = 0; turn < 100 && !gone_on; ++turn) {
    gone_on = On([&](Shard& shard) { return done == 2 && !shard.writes_should_wait(); });
  }
  EXPECT_TRUE(gone_on);
}

// --- The same answers as an engine without a tier. ---

// Values move to disk and back at random between commands, and reads are answered in any order.
class WanderHook final : public ShardHook {
 public:
  WanderHook(Shard& shard, FakeTier& tier, uint32_t seed)
      : shard_(shard), tier_(tier), random_(seed) {
    shard.AttachTier({}, &tier);
    shard.AddHook(this);
    tier.set_cached([this](std::string_view) { return random_() % 3 == 0; });
  }
  bool DoSlice() override {
    Keyspace& keyspace = shard_.keyspace();
    cursor_ = keyspace.Scan(cursor_, 3, [&](const Entry& entry) {
      const KeyRef key = KeyRef::Of(entry.key());
      if (random_() % 2 == 0 && shard_.cold_values()->Wants(entry)) {
        shard_.cold_values()->Take(entry, key.hash);
      }
    });
    if (random_() % 2 == 0) shard_.Post([this](Shard&) { tier_.FinishWrite(); });
    if (tier_.reads_under_way() > 0) {
      shard_.Post([this](Shard&) {
        if (tier_.reads_under_way() > 0) tier_.FinishRead(random_() % tier_.reads_under_way());
      });
    }
    return tier_.reads_under_way() > 0 || tier_.writes_under_way() > 0;
  }

 private:
  Shard& shard_;
  FakeTier& tier_;
  std::mt19937 random_;
  uint64_t cursor_ = 0;
};

std::vector<std::string> RandomCommand(std::mt19937& random) {
  const auto key = [&] { return "k" + std::to_string(random() % 40); };
  const auto value = [&] {
    // Short ones stay in memory; digits at times.
    const size_t length = random() % 3 == 0 ? random() % 30 : 60 + random() % 200;
    return std::string(length, static_cast<char>((random() % 2 == 0 ? '0' : 'a') + random() % 9));
  };
  switch (random() % 26) {
    case 0:
      return {"SET", key(), value()};
    case 1:
      return {"SET", key(), value(), "GET"};
    case 2:
      return {"SET", key(), value(), "XX", "KEEPTTL"};
    case 3:
      return {"GETSET", key(), value()};
    case 4:
      return {"GETDEL", key()};
    case 5:
      return {"GETEX", key(), "PERSIST"};
    case 6:
      return {"APPEND", key(), value()};
    case 7:
      return {"SETRANGE", key(), std::to_string(random() % 150), value()};
    case 8:
      return {"GETRANGE", key(), std::to_string(random() % 50), "-10"};
    case 9:
      return {"STRLEN", key()};
    case 10:
      return {"INCR", key()};
    case 11:
      return {"INCRBYFLOAT", key(), "1.5"};
    case 12:
      return {"MSET", key(), value(), key(), value()};
    case 13:
      return {"MSETNX", key(), value(), key(), value()};
    case 14:
      return {"MGET", key(), key(), key()};
    case 15:
      return {"LCS", key(), key(), "LEN"};
    case 16:
      return {"COPY", key(), key(), "REPLACE"};
    case 17:
      return {"RENAME", key(), key()};
    case 18:
      return {"RENAMENX", key(), key()};
    case 19:
      return {"DEL", key(), key()};
    case 20:
      return {"EXISTS", key(), key()};
    case 21:
      return {"EXPIRE", key(), "1000"};
    case 22:
      return {"PERSIST", key()};
    case 23:
      return random() % 40 == 0 ? std::vector<std::string>{"FLUSHALL"}
                                : std::vector<std::string>{"DBSIZE"};
    default:
      return {"GET", key()};
  }
}

TEST(ColdEngineTest, RandomCommandsAreAnsweredAsWithoutATier) {
  for (const int shards : {1, 3}) {
    SCOPED_TRACE(shards);
    Engine::Options options;
    options.shard_count = shards;
    options.tick_ms = 1;
    std::vector<std::unique_ptr<FakeTier>> tiers;  // They outlive the keyspaces.
    Engine plain(options);
    Engine tiered(options);
    std::vector<std::unique_ptr<WanderHook>> hooks;
    for (int i = 0; i < shards; ++i) {
      tiers.push_back(std::make_unique<FakeTier>());
      hooks.push_back(std::make_unique<WanderHook>(tiered.shard(ShardId(static_cast<uint16_t>(i))),
                                                   *tiers.back(), 100 + i));
    }
    plain.Start();
    tiered.Start();
    {
      Client plain_client(plain);
      Client tiered_client(tiered);
      std::mt19937 random(shards);
      for (int i = 0; i < 10'000; ++i) {
        const std::vector<std::string> command = RandomCommand(random);
        const Value expected = plain_client.Call(command);
        const Value answer = tiered_client.Call(command);
        ASSERT_EQ(ToString(answer), ToString(expected)) << "step " << i << ": " << command[0];
      }
    }
    uint64_t waited = 0;
    for (int i = 0; i < shards; ++i) {
      waited += OnShard(tiered, ShardId(static_cast<uint16_t>(i)), [](Shard& shard) {
        return shard.cold_values()->counters().commands_waited;
      });
    }
    EXPECT_GT(waited, 100u);
    plain.Stop();
    tiered.Stop();
  }
}

}  // namespace
}  // namespace tidemark::cache
