// What tideexport makes of its arguments, of changes, and of its file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "tools/tideexport/arguments.h"
#include "tools/tideexport/change_json.h"
#include "tools/tideexport/change_store.h"
#include "tools/tideexport/resume_file.h"

namespace tidemark::tideexport {
namespace {

using testing::HasSubstr;

absl::StatusOr<Arguments> Parse(std::vector<const char*> words) { return ParseArguments(words); }

TEST(TideexportTest, ArgumentsAreRead) {
  const auto arguments =
      Parse({"[::1]:7630", "--consumer=billing", "--from-snapshot", "--resume=x", "--token=t"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->host, "::1");
  EXPECT_EQ(arguments->port, "7630");
  EXPECT_EQ(arguments->consumer, "billing");
  EXPECT_EQ(arguments->from, wal::ExportStart::From::kSnapshot);
  EXPECT_EQ(arguments->resume_file, "x");
}

TEST(TideexportTest, BadArgumentsAreRefused) {
  EXPECT_FALSE(Parse({}).ok());
  EXPECT_FALSE(Parse({"host"}).ok());
  EXPECT_FALSE(Parse({"host:1", "host:2"}).ok());
  EXPECT_FALSE(Parse({"host:1", "--consumer=a b"}).ok());
  EXPECT_FALSE(Parse({"host:1", "--nothing"}).ok());
  EXPECT_FALSE(Parse({"host:1", "--output=x"}).ok()) << "without --resume";
}

// One frame with every op, from sequence 5.
FrameRef EveryOp() {
  OpenFrame open;
  auto add = [&](auto encode) { open.Commit(encode(open.Reserve(200))); };
  add([](char* p) { return EncodeSet(p, "k", "v\xff", 1'700'000'000'000); });
  add([](char* p) { return EncodeDelete(p, "\"quoted\"\n", kRecordExpired); });
  add([](char* p) { return EncodeExpire(p, "k", 0); });
  add([](char* p) { return EncodeSetRange(p, "k", 7, "\xc3\xa9"); });
  add([](char* p) { return EncodeFlush(p); });
  return open.Seal({.kind = FrameKind::kMutations,
                    .flags = 0,
                    .history = HistoryId(0xabc),
                    .shard = ShardId(1),
                    .shard_count = 2,
                    .record_count = 5,
                    .first_sequence = Sequence(5),
                    .last_sequence = Sequence(9),
                    .stream_digest = 0,
                    .sealed_at_ms = 1'000,
                    .raw_bytes = 0,
                    .stored_bytes = 0});
}

TEST(TideexportTest, EveryOpIsALine) {
  std::string lines;
  ASSERT_TRUE(
      AppendJson(wal::Changes{.frame = EveryOp(), .skip_through = Sequence(4)}, &lines).ok());
  const std::string head = R"("history":"0000000000000abc","shard":1,"sequence":)";
  EXPECT_EQ(
      lines,
      R"({"op":"set",)" + head +
          R"(5,"sealed_at_ms":1000,"key":"k","value_base64":"dv8=","expire_at_ms":1700000000000})"
          "\n"
          R"({"op":"delete",)" +
          head + R"(6,"sealed_at_ms":1000,"key":"\"quoted\"\n","why":"expired"})" + "\n" +
          R"({"op":"expire",)" + head + R"(7,"sealed_at_ms":1000,"key":"k"})" + "\n" +
          R"({"op":"set_range",)" + head +
          R"(8,"sealed_at_ms":1000,"key":"k","offset":7,"value":"é"})" + "\n" +
          R"({"op":"flush",)" + head + R"(9,"sealed_at_ms":1000})" + "\n");
}

TEST(TideexportTest, ExtrasOfAnExpiryStandBesideIt) {
  OpenFrame open;
  const TtlExtras extras = {.idle_ms = 5, .stale_ms = 7, .hard_at_ms = 90};
  open.Commit(EncodeSet(open.Reserve(200), "k", "v", {95, extras}));
  FrameHeader header;
  header.record_count = 1;
  header.first_sequence = header.last_sequence = Sequence(1);
  std::string lines;
  ASSERT_TRUE(
      AppendJson(wal::Changes{.frame = open.Seal(header), .skip_through = Sequence()}, &lines)
          .ok());
  EXPECT_THAT(lines, HasSubstr(R"("expire_at_ms":95,"idle_ms":5,"stale_ms":7,"hard_at_ms":90})"));
}

TEST(TideexportTest, WhatWasSeenIsNotPrintedAgain) {
  std::string lines;
  ASSERT_TRUE(
      AppendJson(wal::Changes{.frame = EveryOp(), .skip_through = Sequence(8)}, &lines).ok());
  EXPECT_THAT(lines, HasSubstr("\"sequence\":9"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1);
}

class ResumeFileTest : public testing::Test {
 protected:
  ~ResumeFileTest() override {
    std::remove(path_.c_str());
    std::remove(output_.c_str());
  }
  std::string Output() const {
    std::ifstream file(output_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  ChangeStore::Options WithOutput() const { return {.output_file = output_, .resume_file = path_}; }

  const std::string path_ = testing::TempDir() + "tideexport_position";
  const std::string output_ = testing::TempDir() + "tideexport_output";
};

wal::ExportPosition At(uint64_t sequence) {
  return {.history = HistoryId(7), .sequences = {Sequence(sequence)}};
}

TEST_F(ResumeFileTest, TheCheckpointComesBack) {
  EXPECT_FALSE(LoadCheckpoint(path_).value().has_value());
  const wal::ExportPosition position{.history = HistoryId(~uint64_t{0}),
                                     .sequences = {Sequence(~uint64_t{0}), Sequence(3)}};
  for (const Checkpoint& checkpoint :
       {Checkpoint{.position = position, .output_bytes = std::nullopt},
        Checkpoint{.position = position, .output_bytes = 12},
        Checkpoint{.position = std::nullopt, .output_bytes = 0}}) {
    ASSERT_TRUE(SaveCheckpoint(path_, checkpoint).ok());
    EXPECT_EQ(LoadCheckpoint(path_).value(), checkpoint);
  }
}

TEST_F(ResumeFileTest, AnythingElseIsRefused) {
  for (const char* text :
       {"", "{}", "[]", R"({"history": "x", "positions": [1]})",
        R"({"history": "0", "positions": [1]})", R"({"history": "7", "positions": [-1]})",
        R"({"history": 7})", R"({"history": 7, "output_bytes": 1})", R"({"output_bytes": -1})"}) {
    std::ofstream(path_) << text;
    EXPECT_FALSE(LoadCheckpoint(path_).ok()) << text;
  }
}

TEST_F(ResumeFileTest, WhatACrashLeftBehindThePositionIsCut) {
  {
    ChangeStore store(WithOutput());
    ASSERT_TRUE(store.Open().ok());
    ASSERT_TRUE(store.Append("one\n").ok());
    store.Keep(At(1));
    ASSERT_TRUE(store.Commit().ok());
    ASSERT_TRUE(store.Append("two\nthr").ok());
    store.Keep(At(2));
  }  // As a crash: nothing was committed.
  EXPECT_EQ(Output(), "one\ntwo\nthr");
  ChangeStore store(WithOutput());
  ASSERT_TRUE(store.Open().ok());
  EXPECT_EQ(store.position(), At(1));
  EXPECT_EQ(Output(), "one\n");
  ASSERT_TRUE(store.Append("two\n").ok());
  EXPECT_EQ(Output(), "one\ntwo\n");
}

TEST_F(ResumeFileTest, WhatLeadsToNoPositionIsTakenBack) {
  std::ofstream(output_) << "before\n";
  ChangeStore store(WithOutput());
  ASSERT_TRUE(store.Open().ok());
  ASSERT_TRUE(store.Append("half a snapshot\n").ok());
  ASSERT_TRUE(store.Rollback().ok());
  EXPECT_EQ(Output(), "before\n");
  // A crash before the first position finds where our lines begin, too.
  ASSERT_TRUE(store.Append("half a snapshot again\n").ok());
  ChangeStore again(WithOutput());
  ASSERT_TRUE(again.Open().ok());
  EXPECT_FALSE(again.position().has_value());
  EXPECT_EQ(Output(), "before\n");
}

TEST_F(ResumeFileTest, AnOutputFileThatLostLinesIsRefused) {
  ASSERT_TRUE(SaveCheckpoint(path_, {.position = At(9), .output_bytes = 5}).ok());
  std::ofstream(output_) << "1234";
  ChangeStore store(WithOutput());
  const absl::Status refused = store.Open();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("4 bytes"));
  ChangeStore unnamed({.output_file = "", .resume_file = path_});
  EXPECT_EQ(unnamed.Open().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidemark::tideexport
