#include "net/resp_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tidemark::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Command = std::vector<std::string>;

struct Parsed {
  std::vector<Command> commands;
  std::string error;
  size_t left = 0;  // Bytes at the end that are no whole command.

  bool operator==(const Parsed&) const = default;
};

// Parses `stream` as it comes in pieces, as a connection does: it keeps what no call consumed.
Parsed ParsePieces(const std::vector<std::string>& pieces,
                   const RespParser::Options& options = {}) {
  RespParser parser;
  CommandBatch batch;
  Parsed result;
  std::string pending;
  for (const std::string& piece : pieces) {
    // A new string each time: the bytes move, as those of a connection may.
    pending = std::string(pending + piece);
    do {
      result.error = parser.Parse(pending, options, batch);
      if (!result.error.empty()) return result;
      for (const ParsedCommand& command : batch.commands()) {
        result.commands.emplace_back(command.args.begin(), command.args.end());
      }
      pending.erase(0, batch.consumed());
    } while (batch.more());
  }
  result.left = pending.size();
  return result;
}

Parsed ParseWhole(const std::string& stream, const RespParser::Options& options = {}) {
  return ParsePieces({stream}, options);
}

std::string Encode(const Command& command) {
  std::string bytes = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& arg : command) {
    bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return bytes;
}

TEST(RespParserTest, ParsesAPipelineInOrder) {
  const Parsed parsed = ParseWhole(Encode({"SET", "key", "value"}) + Encode({"GET", "key"}));
  EXPECT_THAT(parsed.commands, ElementsAre(Command{"SET", "key", "value"}, Command{"GET", "key"}));
  EXPECT_EQ(parsed.left, 0u);
}

TEST(RespParserTest, ArgumentsAreViewsIntoTheInput) {
  RespParser parser;
  CommandBatch batch;
  const std::string input = Encode({"GET", "key"}) + "PING now\r\n";
  ASSERT_EQ(parser.Parse(input, {}, batch), "");
  for (const ParsedCommand& command : batch.commands()) {
    for (const std::string_view arg : command.args) {
      EXPECT_GE(arg.data(), input.data());
      EXPECT_LE(arg.data() + arg.size(), input.data() + input.size());
    }
  }
}

TEST(RespParserTest, ABatchEndsAfter32CommandsAndSaysThereIsMore) {
  std::string input;
  for (int i = 0; i < 33; ++i) input += Encode({"PING"});
  RespParser parser;
  CommandBatch batch;
  ASSERT_EQ(parser.Parse(input, {}, batch), "");
  EXPECT_EQ(batch.commands().size(), 32u);
  EXPECT_TRUE(batch.more());
  EXPECT_EQ(batch.consumed(), 32 * Encode({"PING"}).size());
  EXPECT_EQ(batch.consumed(3), 3 * Encode({"PING"}).size());
}

TEST(RespParserTest, ManyArgumentsStayInPlaceAsTheirStorageGrows) {
  Command many(3000, "argument");
  const Parsed parsed = ParseWhole(Encode({"PING"}) + Encode(many));
  EXPECT_THAT(parsed.commands, ElementsAre(Command{"PING"}, many));
}

TEST(RespParserTest, KnowsHowMuchOfABigBulkIsMissing) {
  RespParser parser;
  CommandBatch batch;
  std::string input = "*2\r\n$4\r\nECHO\r\n$100000\r\nabc";
  ASSERT_EQ(parser.Parse(input, {}, batch), "");
  EXPECT_THAT(batch.commands(), IsEmpty());
  EXPECT_EQ(batch.consumed(), 0u);
  EXPECT_EQ(parser.missing_bytes(), 100000u + 2 - 3);
}

TEST(RespParserTest, RestartForgetsTheUnfinishedCommand) {
  RespParser parser;
  CommandBatch batch;
  ASSERT_EQ(parser.Parse("*2\r\n$3\r\nGET\r\n$3\r\nk", {}, batch), "");
  parser.Restart();
  ASSERT_EQ(parser.Parse("*1\r\n$4\r\nPING\r\n", {}, batch), "");
  ASSERT_EQ(batch.commands().size(), 1u);
  EXPECT_THAT(batch.commands()[0].args, ElementsAre("PING"));
}

struct ErrorCase {
  std::string name, input, error;
  friend void PrintTo(const ErrorCase& c, std::ostream* out) { *out << c.name; }
};
class ProtocolErrorTest : public testing::TestWithParam<ErrorCase> {};

TEST_P(ProtocolErrorTest, HasTheTextOfRedis) {
  EXPECT_EQ(ParseWhole(GetParam().input).error, "Protocol error: " + GetParam().error);
}

TEST_P(ProtocolErrorTest, ComesAfterTheCommandsBeforeIt) {
  const Parsed parsed = ParseWhole(Encode({"PING"}) + GetParam().input);
  EXPECT_THAT(parsed.commands, ElementsAre(Command{"PING"}));
  EXPECT_EQ(parsed.error, "Protocol error: " + GetParam().error);
}

// As redis-server 7.0.15 answers.
INSTANTIATE_TEST_SUITE_P(
    Redis, ProtocolErrorTest,
    testing::Values(
        ErrorCase{"CountNoNumber", "*x\r\n", "invalid multibulk length"},
        ErrorCase{"CountEmpty", "*\r\n", "invalid multibulk length"},
        ErrorCase{"CountTooLarge", "*2147483648\r\n", "invalid multibulk length"},
        ErrorCase{"CountLeadingZero", "*01\r\n", "invalid multibulk length"},
        ErrorCase{"CountPlus", "*+1\r\n", "invalid multibulk length"},
        ErrorCase{"CountMinusZero", "*-0\r\n", "invalid multibulk length"},
        ErrorCase{"CountOverflow", "*99999999999999999999999\r\n", "invalid multibulk length"},
        ErrorCase{"BulkNoNumber", "*1\r\n$x\r\n", "invalid bulk length"},
        ErrorCase{"BulkEmpty", "*1\r\n$\r\n", "invalid bulk length"},
        ErrorCase{"BulkNegative", "*1\r\n$-1\r\n", "invalid bulk length"},
        ErrorCase{"BulkLeadingZero", "*1\r\n$04\r\nPING\r\n", "invalid bulk length"},
        ErrorCase{"BulkTooLarge", "*1\r\n$536870913\r\n", "invalid bulk length"},
        ErrorCase{"WrongMark", "*1\r\nhello\r\n", "expected '$', got 'h'"},
        ErrorCase{"NoMark", "*1\r\n\r\n", "expected '$', got '\r'"},
        ErrorCase{"LongCount", "*" + std::string(65536, '1'), "too big mbulk count string"},
        ErrorCase{"LongBulkLength", "*1\r\n$" + std::string(65536, '1'),
                  "too big bulk count string"},
        ErrorCase{"LongInline", std::string(65537, 'a'), "too big inline request"},
        ErrorCase{"OpenDoubleQuote", "PING \"a\r\n", "unbalanced quotes in request"},
        ErrorCase{"OpenSingleQuote", "PING 'a\r\n", "unbalanced quotes in request"},
        ErrorCase{"TextAfterQuote", "ECHO \"a\"b\r\n", "unbalanced quotes in request"}),
    [](const auto& info) { return info.param.name; });

TEST(RespParserTest, LimitsAreReachedExactly) {
  EXPECT_EQ(ParseWhole("*2147483647\r\n").error, "");
  EXPECT_EQ(ParseWhole("*1\r\n$536870912\r\n").error, "");
  EXPECT_EQ(ParseWhole(std::string(65536, 'a')).error, "");
  RespParser::Options small;
  small.max_bulk_bytes = 10;
  EXPECT_EQ(ParseWhole("*1\r\n$10\r\n", small).error, "");
  EXPECT_EQ(ParseWhole("*1\r\n$11\r\n", small).error, "Protocol error: invalid bulk length");
}

TEST(RespParserTest, UnauthenticatedRequestsMustBeSmall) {
  RespParser::Options strict;
  strict.trust = RespParser::Options::Trust::kUnauthenticated;
  EXPECT_EQ(ParseWhole("*10\r\n", strict).error, "");
  EXPECT_EQ(ParseWhole("*11\r\n", strict).error,
            "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(ParseWhole("*1\r\n$16384\r\n", strict).error, "");
  EXPECT_EQ(ParseWhole("*1\r\n$16385\r\n", strict).error,
            "Protocol error: unauthenticated bulk length");
}

TEST(RespParserTest, UnauthenticatedCommandsComeOneByOne) {
  RespParser parser;
  CommandBatch batch;
  RespParser::Options strict;
  strict.trust = RespParser::Options::Trust::kUnauthenticated;
  ASSERT_EQ(parser.Parse(Encode({"AUTH", "x"}) + Encode({"PING"}), strict, batch), "");
  EXPECT_EQ(batch.commands().size(), 1u);
  EXPECT_TRUE(batch.more());
}

struct InlineCase {
  std::string input;
  std::vector<Command> commands;
};
class InlineTest : public testing::TestWithParam<InlineCase> {};

TEST_P(InlineTest, SplitsLikeRedis) {
  const Parsed parsed = ParseWhole(GetParam().input);
  EXPECT_EQ(parsed.commands, GetParam().commands);
  EXPECT_EQ(parsed.error, "");
}

INSTANTIATE_TEST_SUITE_P(
    Redis, InlineTest,
    testing::Values(InlineCase{"PING\r\n", {{"PING"}}}, InlineCase{"PING\n", {{"PING"}}},
                    InlineCase{"PING\r\r\n", {{"PING"}}}, InlineCase{"\r\n\r\n", {}},
                    InlineCase{"  \t\r\n", {}},
                    InlineCase{" set  a\tb \r\nget a\r\n", {{"set", "a", "b"}, {"get", "a"}}},
                    InlineCase{"ECHO \"a\\x41\\n\\q\"\r\n", {{"ECHO", "aA\nq"}}},
                    InlineCase{"ECHO 'a\\'b\\n'\r\n", {{"ECHO", "a'b\\n"}}},
                    InlineCase{"ECHO a\"b c\"\r\n", {{"ECHO", "ab c"}}},
                    InlineCase{"ECHO \"\"\r\n", {{"ECHO", ""}}},
                    InlineCase{"ECHO \"\\xzz\"\r\n", {{"ECHO", "xzz"}}},
                    InlineCase{"ECHO \\x\r\n", {{"ECHO", "\\x"}}},
                    InlineCase{"\vECHO \v\fa\r\n", {{"ECHO", "a"}}},
                    InlineCase{"ECHO a\vb\r\n", {{"ECHO", "a\vb"}}}));

TEST(RespParserTest, CountsThatAreNotPositiveAreSkipped) {
  EXPECT_THAT(ParseWhole("*0\r\n*-5\r\nPING\r\n").commands, ElementsAre(Command{"PING"}));
}

TEST(RespParserTest, TheBytesThatEndALineAreNotChecked) {
  EXPECT_THAT(ParseWhole("*1\r\n$4\r\nPINGxxPING\r\n").commands,
              ElementsAre(Command{"PING"}, Command{"PING"}));
  EXPECT_THAT(ParseWhole("*1\rX$4\rYPING\r\n").commands, ElementsAre(Command{"PING"}));
}

const char kStream[] =
    "*3\r\n$3\r\nSET\r\n$10\r\n0123456789\r\n$0\r\n\r\nPING \"a\\x41 b\"\r\n*0\r\n\r\n"
    "*2\r\n$3\r\nGET\r\n$10\r\n*1\r\n$4\r\nPI\r\n*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPA";

TEST(RespParserTest, AnyTwoPiecesParseAsTheWhole) {
  const std::string stream = kStream;
  const Parsed whole = ParseWhole(stream);
  ASSERT_EQ(whole.commands.size(), 4u);
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    EXPECT_EQ(ParsePieces({stream.substr(0, cut), stream.substr(cut)}), whole) << "cut " << cut;
  }
}

TEST(RespParserTest, OneByteAtATimeParsesAsTheWhole) {
  const std::string stream = kStream;
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  EXPECT_EQ(ParsePieces(bytes), ParseWhole(stream));
}

TEST(RespParserTest, RandomCommandsInRandomPiecesComeBack) {
  constexpr uint64_t kSeed = 20240601;
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 300; ++round) {
    std::vector<Command> commands(random() % 50);
    std::string stream;
    for (Command& command : commands) {
      command.resize(1 + random() % 5);
      for (std::string& arg : command) {
        arg.resize(random() % 20 == 0 ? random() % 40000 : random() % 12);
        for (char& c : arg) c = "\r\n*$0 \"\xff"[random() % 8];
      }
      stream += Encode(command);
    }
    std::vector<std::string> pieces;
    for (size_t at = 0; at < stream.size();) {
      const size_t size = 1 + random() % (random() % 4 == 0 ? 20000 : 40);
      pieces.push_back(stream.substr(at, size));
      at += size;
    }
    const Parsed parsed = ParsePieces(pieces);
    ASSERT_EQ(parsed.error, "") << "seed " << kSeed << " round " << round;
    ASSERT_EQ(parsed.commands, commands) << "seed " << kSeed << " round " << round;
  }
}

}  // namespace
}  // namespace tidemark::net
