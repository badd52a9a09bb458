// Every command answers as redis-server 7.0 does, and leaves the same keys behind: a table of
// sequences (testdata/sequences.txt), then random commands.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <regex>

#include "base/clock.h"
#include "base/text.h"
#include "cache/commands/local_shard.h"
#include "cache/commands/redis_oracle.h"
#include "cache/commands/split_line.h"

namespace tidemark::cache {
namespace {

constexpr char kSequences[] = "cache/commands/testdata/sequences.txt";

// Both sides read their own clock, and the machine may be busy.
constexpr int64_t kClockToleranceMs = 5000;

bool NameIsOneOf(const Words& command, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return EqualsIgnoreCase(name, command[0]); });
}

// The elements of a flat array, in order.
std::string Sorted(const std::string& array) {
  if (!array.starts_with('[')) return array;
  std::vector<std::string> elements;
  const std::regex element("\"[^\"]*\"");
  for (std::sregex_iterator it(array.begin(), array.end(), element), end; it != end; ++it) {
    elements.push_back(it->str());
  }
  std::sort(elements.begin(), elements.end());
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

std::optional<int64_t> Number(std::string_view reply) {
  int64_t value = 0;
  if (!reply.starts_with(':')) return std::nullopt;
  std::from_chars(reply.data() + 1, reply.data() + reply.size(), value);
  return value;
}

// Whether the replies say the same, leaving room for what depends on the clock or on the order of a
// table.
bool Agree(const Words& command, const std::string& ours, const std::string& theirs) {
  if (ours == theirs) return true;
  if (NameIsOneOf(command, {"ttl", "pttl", "expiretime", "pexpiretime"})) {
    const auto a = Number(ours);
    const auto b = Number(theirs);
    if (!a || !b || *a < 0 || *b < 0) return false;
    const bool seconds = NameIsOneOf(command, {"ttl", "expiretime"});
    return std::abs(*a - *b) <= (seconds ? kClockToleranceMs / 1000 : kClockToleranceMs);
  }
  if (NameIsOneOf(command, {"keys", "scan"})) return Sorted(ours) == Sorted(theirs);
  return false;
}

class DifferentialTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { oracle_ = RedisOracle::Start().release(); }
  static void TearDownTestSuite() { delete oracle_; }

  void SetUp() override {
    ASSERT_NE(oracle_, nullptr) << "needs /usr/bin/redis-server 7.0; tools/install brings it";
    Both({"FLUSHALL"});
  }

  // Runs the command on both sides and expects that they agree.
  void Both(const Words& command) {
    shard_.keyspace().set_now_ms(Clock::System().UnixMillis());
    const std::string ours = shard_.Run(command);
    const std::string theirs = oracle_->Ask(command);
    EXPECT_TRUE(Agree(command, ours, theirs))
        << fmt::format("{}", command) << "\n  ours:   " << ours << "\n  theirs: " << theirs;
  }

  // Expects that both sides hold the same keys, values and expiries.
  void ExpectSameState(const Words& keys) {
    for (const std::string& key : keys) {
      Both({"GET", key});
      Both({"PTTL", key});
    }
    Both({"KEYS", "*"});
    Both({"DBSIZE"});
  }

  static RedisOracle* oracle_;
  LocalShard shard_;
};

RedisOracle* DifferentialTest::oracle_ = nullptr;

TEST_F(DifferentialTest, AnswersEverySequenceAsRedisDoes) {
  std::ifstream file(kSequences);
  ASSERT_TRUE(file) << kSequences;
  int commands = 0;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.starts_with('#')) continue;
    SCOPED_TRACE(fmt::format("{}:{}", kSequences, number));
    const Words command = SplitLine(line);
    Both(command.empty() ? Words{"FLUSHALL"} : command);  // An empty line ends a sequence.
    ++commands;
  }
  EXPECT_GT(commands, 400);
}

// Random commands on few keys with awkward arguments, so that most of them meet a key in some odd
// state.
class CommandGenerator {
 public:
  explicit CommandGenerator(uint64_t seed) : random_(seed) {}

  static const Words& Keys() {
    static const Words kKeys = {"a", "b", "c", "d", ""};
    return kKeys;
  }

  Words Next() {
    switch (random_() % 36) {
      case 0:
        return {"GET", Key()};
      case 1:
        return {"SET", Key(), Value()};
      case 2:
        return WithOptions({"SET", Key(), Value()}, 4);
      case 3:
        return WithOptions({"GETEX", Key()}, 2);
      case 4:
        return {"SETNX", Key(), Value()};
      case 5:
        return {Pick({"SETEX", "PSETEX"}), Key(), Duration(), Value()};
      case 6:
        return {"GETSET", Key(), Value()};
      case 7:
        return {"GETDEL", Key()};
      case 8:
        return {"MGET", Key(), Key(), Key()};
      case 9:
        return {Pick({"MSET", "MSETNX"}), Key(), Value(), Key(), Value()};
      case 10:
        return {"MSET", Key(), Value(), Key()};
      case 11:
        return {"APPEND", Key(), Value()};
      case 12:
        return {"STRLEN", Key()};
      case 13:
        return {Pick({"GETRANGE", "SUBSTR"}), Key(), Small(), Small()};
      case 14:
        return {"SETRANGE", Key(), Small(), Value()};
      case 15:
        return {Pick({"INCR", "DECR"}), Key()};
      case 16:
        return {Pick({"INCRBY", "DECRBY"}), Key(), Value()};
      case 17:
        return {"INCRBYFLOAT", Key(), Value()};
      case 18:
        return {Pick({"DEL", "UNLINK", "EXISTS", "TOUCH"}), Key(), Key()};
      case 19:
        return {"TYPE", Key()};
      case 20:
        return {"COPY", Key(), Key()};
      case 21:
        return {"COPY", Key(), Key(), "REPLACE"};
      case 22:
        return {Pick({"RENAME", "RENAMENX"}), Key(), Key()};
      case 23:
        return {Pick({"EXPIRE", "PEXPIRE"}), Key(), Duration()};
      case 24:
        return {Pick({"EXPIREAT", "PEXPIREAT"}), Key(), Moment()};
      case 25:
      case 26:
        return {Pick({"EXPIRE", "PEXPIRE"}), Key(), Duration(), Pick({"NX", "XX", "GT", "LT"})};
      case 27:
        return {"EXPIRE", Key(), Duration(), Pick({"NX", "xx", "GT", "LT", "no"}),
                Pick({"NX", "XX", "gt", "LT"})};
      case 28:
        return {Pick({"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"}), Key()};
      case 29:
        return {"PERSIST", Key()};
      case 30:
        return {"LCS", Key(), Key()};
      case 31:
        return {"LCS", Key(), Key(), Pick({"LEN", "IDX", "x", "WITHMATCHLEN"})};
      case 32:
        return {"LCS", Key(), Key(), "IDX", "MINMATCHLEN", Small(), Pick({"WITHMATCHLEN", "LEN"})};
      case 33:
        return {"KEYS", Pick({"*", "?", "[a-c]", "[^a]", "a"})};
      case 34:
        return {"SCAN", "0", "COUNT", "100", "MATCH", Pick({"*", "?", "[a-c]"})};
      default:
        return {Pick({"GET", "SET", "APPEND", "EXPIRE", "LCS", "TTL"}), Key(), Value()};
    }
  }

 private:
  std::string Pick(std::initializer_list<const char*> choices) {
    return choices.begin()[random_() % choices.size()];
  }
  std::string Key() { return Keys()[random_() % Keys().size()]; }
  std::string Value() {
    if (random_() % 8 == 0) return std::string(random_() % 300, static_cast<char>(random_()));
    return Pick({"", "0", "1", "-1", "12", "007", "3.5", "-2.25", "1e3", "9223372036854775807",
                 "-9223372036854775808", "abcabc", "bcab", "ohmytext", "mynewtext", " 5", "inf"});
  }
  std::string Small() {
    return Pick({"0", "1", "2", "5", "-1", "-2", "-100", "100", "x", "9223372036854775807"});
  }
  // None ends while the test runs. No two are alike, for which GT and LT would look at the clock.
  std::string Duration() {
    if (random_() % 2 == 0) return std::to_string(1'000'000 + random_() % 1'000'000'000);
    return Pick(
        {"0", "-1", "x", "9223372036854775807", "-9223372036854775808", "9223372036854775"});
  }
  std::string Moment() {
    return Pick({"4000000000", "5000000000000", "1", "0", "-1", "9223372036854775807", "", "1x"});
  }
  Words WithOptions(Words command, uint64_t most) {
    for (uint64_t n = random_() % most + 1; n > 0; --n) {
      const std::string option =
          Pick({"NX", "XX", "GET", "KEEPTTL", "PERSIST", "EX", "PX", "EXAT", "PXAT", "ex", "y"});
      command.push_back(option);
      if (option == "EX" || option == "PX" || option == "ex") command.push_back(Duration());
      if (option == "EXAT" || option == "PXAT") command.push_back(Moment());
    }
    return command;
  }

  std::mt19937_64 random_;
};

TEST_F(DifferentialTest, AnswersRandomCommandsAsRedisDoes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    CommandGenerator generator(seed);
    for (int i = 0; i < 1000; ++i) {
      SCOPED_TRACE(fmt::format("command {}", i));
      Both(generator.Next());
      if (i % 50 == 49) ExpectSameState(CommandGenerator::Keys());
      if (HasFailure()) return;  // What follows would differ as well.
    }
  }
}

// COMMAND INFO of a container lists its subcommands in any order: they are asked for one by one.
Words NamesWithoutContainers(const CommandTable& table) {
  Words names;
  for (const CommandSpec* spec : table.All()) {
    if (spec->subcommands.empty()) names.emplace_back(spec->name);
    for (const CommandSpec& subcommand : spec->subcommands) names.emplace_back(subcommand.name);
  }
  return names;
}

TEST_F(DifferentialTest, DescribesItsCommandsAsRedisDoes) {
  const std::regex remarks("\"notes\", \"[^\"]*\", ");  // Redis adds some to key specs.
  for (const std::string& name : NamesWithoutContainers(shard_.table())) {
    const Words command = {"COMMAND", "INFO", name};
    EXPECT_EQ(shard_.Run(command), std::regex_replace(oracle_->Ask(command), remarks, ""));
  }
}

// The arguments, that is: the words around them are our own.
TEST_F(DifferentialTest, DocumentsArgumentsAsRedisDoes) {
  const auto arguments = [](const std::string& reply) {
    const size_t begin = reply.find("\"arguments\"");
    return begin == std::string::npos ? std::string() : reply.substr(begin);
  };
  for (const std::string& name : NamesWithoutContainers(shard_.table())) {
    const Words command = {"COMMAND", "DOCS", name};
    EXPECT_EQ(arguments(shard_.Run(command)), arguments(oracle_->Ask(command))) << name;
  }
}

}  // namespace
}  // namespace tidemark::cache
