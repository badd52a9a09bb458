// What differential_test cannot see: the mutations that commands mint, and how values are answered.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cache/commands/local_shard.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Words = std::vector<std::string>;

constexpr int64_t kNow = 1'700'000'000'000;

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() { shard_.keyspace().set_now_ms(kNow); }

  // The mutations of one command.
  Words EffectsOf(const Words& command) {
    sink_.TakeLog();
    shard_.Run(command);
    return sink_.TakeLog();
  }
  // Sets up a key without a trace.
  void Given(const Words& command) { EffectsOf(command); }

  MutationRecorder sink_;
  LocalShard shard_{&sink_};
};

TEST_F(CommandsTest, RelativeExpiriesBecomeAbsolute) {
  EXPECT_THAT(EffectsOf({"SET", "k", "v", "EX", "10"}), ElementsAre("SET k v @1700000010000"));
  EXPECT_THAT(EffectsOf({"PSETEX", "k", "5", "v"}), ElementsAre("SET k v @1700000000005"));
  EXPECT_THAT(EffectsOf({"EXPIRE", "k", "20"}), ElementsAre("EXPIRE k @1700000020000"));
  EXPECT_THAT(EffectsOf({"GETEX", "k", "PX", "7"}), ElementsAre("EXPIRE k @1700000000007"));
  EXPECT_THAT(EffectsOf({"PERSIST", "k"}), ElementsAre("EXPIRE k @0"));
}

TEST_F(CommandsTest, CountersMintTheirResult) {
  Given({"SET", "n", "41", "EX", "10"});
  EXPECT_THAT(EffectsOf({"INCR", "n"}), ElementsAre("SET n 42 @1700000010000"));
  EXPECT_THAT(EffectsOf({"INCRBYFLOAT", "n", "0.5"}), ElementsAre("SET n 42.5 @1700000010000"));
}

TEST_F(CommandsTest, PartsOfValuesAreMintedAsParts) {
  EXPECT_THAT(EffectsOf({"APPEND", "k", "abc"}), ElementsAre("SET k abc @0"));
  EXPECT_THAT(EffectsOf({"APPEND", "k", "de"}), ElementsAre("SETRANGE k 3 de"));
  EXPECT_THAT(EffectsOf({"SETRANGE", "k", "1", "X"}), ElementsAre("SETRANGE k 1 X"));
}

TEST_F(CommandsTest, MovingAKeyMintsTheNewBeforeTheOldGoes) {
  Given({"SET", "a", "v", "PXAT", "1700000000009"});
  EXPECT_THAT(EffectsOf({"RENAME", "a", "b"}),
              ElementsAre("SET b v @1700000000009", "DELETE a command"));
  EXPECT_THAT(EffectsOf({"COPY", "b", "c"}), ElementsAre("SET c v @1700000000009"));
}

TEST_F(CommandsTest, AnExpiryInThePastMintsADeletion) {
  for (const Words& command :
       {Words{"SET", "k", "w", "EXAT", "1"}, Words{"GETEX", "k", "PXAT", "1"},
        Words{"EXPIRE", "k", "-1"}, Words{"PEXPIREAT", "k", "1700000000000"}}) {
    Given({"SET", "k", "v"});
    EXPECT_THAT(EffectsOf(command), ElementsAre("DELETE k command")) << command[0];
    EXPECT_THAT(EffectsOf(command), IsEmpty()) << command[0];
  }
}

TEST_F(CommandsTest, WhatChangesNothingMintsNothing) {
  Given({"MSET", "k", "v", "n", "x"});
  for (const Words& command : {
           Words{"GET", "k"},
           Words{"GETEX", "k"},
           Words{"GETEX", "k", "PERSIST"},
           Words{"PERSIST", "k"},
           Words{"SETNX", "k", "w"},
           Words{"SET", "k", "w", "NX"},
           Words{"SET", "none", "w", "XX"},
           Words{"SET", "k", "w", "EX", "0"},
           Words{"MSETNX", "new", "1", "k", "2"},
           Words{"MSET", "new", "1", "k"},
           Words{"INCR", "n"},
           Words{"INCRBYFLOAT", "n", "1"},
           Words{"SETRANGE", "k", "5", ""},
           Words{"SETRANGE", "k", "536870912", "x"},
           Words{"DEL", "none"},
           Words{"GETDEL", "none"},
           Words{"RENAME", "k", "k"},
           Words{"RENAMENX", "k", "n"},
           Words{"COPY", "k", "n"},
           Words{"EXPIRE", "k", "10", "XX"},
           Words{"EXPIRE", "k", "9223372036854775807"},
           Words{"FLUSHALL", "NOW"},
       }) {
    EXPECT_THAT(EffectsOf(command), IsEmpty()) << testing::PrintToString(command);
  }
}

TEST_F(CommandsTest, LargeValuesAreAnsweredByReference) {
  const std::string large(kLargeValueBytes, 'x');
  Given({"SET", "k", large});
  const auto references = [&](const Words& command) {
    RecordedReply reply;
    shard_.Run(command, reply);
    return reply.references();
  };
  EXPECT_EQ(references({"GET", "k"}), 1);
  EXPECT_EQ(references({"MGET", "k", "none", "k"}), 2);
  EXPECT_EQ(references({"GETRANGE", "k", "0", "-1"}), 1);
  EXPECT_EQ(references({"GETRANGE", "k", "0", "9"}), 0);
  // What APPEND built is not in a buffer.
  Given({"APPEND", "k", "y"});
  EXPECT_EQ(references({"GET", "k"}), 0);
  EXPECT_EQ(shard_.Run({"GET", "k"}), Quoted(large + "y"));
}

TEST_F(CommandsTest, NoTouchLeavesTheAccessClockAlone) {
  Given({"SET", "k", "v"});
  shard_.keyspace().set_now_ms(kNow + 100'000);
  const std::string_view get[] = {"GET", "k"};
  CommandContext context{.keyspace = shard_.keyspace(),
                         .spec = *shard_.table().Find("get"),
                         .key_hash = KeyHash("k"),
                         .no_touch = true};
  RecordedReply reply;
  context.spec.handler(context, Args(get), reply);
  EXPECT_EQ(shard_.Run({"OBJECT", "IDLETIME", "k"}), ":100");
  context.no_touch = false;
  context.spec.handler(context, Args(get), reply);
  EXPECT_EQ(shard_.Run({"OBJECT", "IDLETIME", "k"}), ":0");
}

TEST_F(CommandsTest, MemoryUsageTellsWhatTheEntryTakes) {
  Given({"SET", "k", std::string(1000, 'v')});
  EXPECT_EQ(shard_.Run({"MEMORY", "USAGE", "k"}),
            ":" + std::to_string(shard_.keyspace().Peek(KeyRef::Of("k"))->memory_bytes()));
}

}  // namespace
}  // namespace tidemark::cache
