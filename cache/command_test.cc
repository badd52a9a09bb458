#include "cache/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/text.h"
#include "cache/commands/recorded_reply.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr CommandSpec kSubcommands[] = {
    {.name = "config|get", .arity = -3},
    {.name = "config|rewrite", .arity = 2},
};
constexpr CommandSpec kRows[] = {
    {.name = "get", .arity = 2, .keys = {1, 1, 1}},
    {.name = "mset", .arity = -3, .keys = {1, -1, 2}},
    {.name = "copy", .arity = -3, .keys = {1, 2, 1}},
    {.name = "config", .arity = -2, .subcommands = kSubcommands},
    {.name = "eightcha"},
    {.name = "ninechars"},
    {.name = "exactlysixteen-b"},
    {.name = "longer-than-sixteen-a"},
    {.name = "longer-than-sixteen-b"},
};

CommandTable Table() {
  CommandTable table;
  table.Add(kRows);
  return table;
}

TEST(CommandTableTest, FindsEveryRowInAnyCase) {
  const CommandTable table = Table();
  for (const CommandSpec& row : kRows) {
    std::string name(row.name);
    ASSERT_NE(table.Find(name), nullptr) << name;
    EXPECT_EQ(table.Find(name)->name, name);
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    ASSERT_NE(table.Find(name), nullptr) << name;
    EXPECT_TRUE(EqualsIgnoreCase(table.Find(name)->name, name));
  }
}

TEST(CommandTableTest, FindsNothingElse) {
  const CommandTable table = Table();
  using std::literals::operator""sv;
  for (const std::string_view name :
       {""sv, "g"sv, "ge"sv, "gett"sv, "get "sv, "get\0"sv, "config|get"sv, "eightchar"sv,
        "exactlysixteen-c"sv, "exactlysixteen\r"sv, "longer-than-sixteen-c"sv,
        "longer-than-sixteen-"sv}) {
    EXPECT_EQ(table.Find(name), nullptr) << name;
  }
  EXPECT_EQ(CommandTable().Find("get"), nullptr);
}

TEST(CommandTableTest, GivesRowsAndSubcommandsIds) {
  const CommandTable table = Table();
  EXPECT_EQ(table.size(), 11);
  for (int id = 0; id < table.size(); ++id) EXPECT_EQ(table.ById(id).id, id);
  EXPECT_EQ(table.Find("config")->subcommands[1].id, table.Find("config")->id + 2);
}

TEST(CommandTableTest, ListsRowsByName) {
  const CommandTable table = Table();
  const auto all = table.All();
  EXPECT_EQ(all.size(), std::size(kRows));
  EXPECT_TRUE(
      std::is_sorted(all.begin(), all.end(), [](auto* a, auto* b) { return a->name < b->name; }));
}

TEST(CommandTableTest, FindsSubcommands) {
  const CommandTable table = Table();
  const CommandSpec& config = *table.Find("config");
  const std::string_view get[] = {"config", "GET", "x"};
  const std::string_view unknown[] = {"config", "nosuch"};
  const std::string_view alone[] = {"config"};
  EXPECT_EQ(CommandTable::FindSubcommand(config, get), &config.subcommands[0]);
  EXPECT_EQ(CommandTable::FindSubcommand(config, unknown), nullptr);
  EXPECT_EQ(CommandTable::FindSubcommand(config, alone), &config);
  const CommandSpec& plain = *table.Find("get");
  EXPECT_EQ(CommandTable::FindSubcommand(plain, get), &plain);
}

TEST(KeyPositionsTest, FollowTheRange) {
  const std::string_view args[] = {"name", "a", "b", "c", "d"};
  const Args all(args);
  EXPECT_THAT(KeyPositions(KeyRange{}, all), IsEmpty());
  EXPECT_THAT(KeyPositions(KeyRange{1, 1, 1}, all), ElementsAre(1));
  EXPECT_THAT(KeyPositions(KeyRange{1, -1, 1}, all), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(KeyPositions(KeyRange{1, -1, 2}, all), ElementsAre(1, 3));
  EXPECT_THAT(KeyPositions(KeyRange{1, 2, 1}, all.first(2)), ElementsAre(1));
  EXPECT_THAT(KeyPositions(KeyRange{2, 2, 1}, all.first(2)), IsEmpty());
}

TEST(ErrorTest, UnknownCommandRepeatsOnlyTheBeginning) {
  const std::string name(200, 'n');
  const std::string long_arg(100, 'x');
  const std::string_view args[] = {name, "a", long_arg, long_arg, long_arg};
  RecordedReply reply;
  UnknownCommand(args, reply);
  EXPECT_EQ(reply.text(), "-ERR unknown command '" + std::string(128, 'n') +
                              "', with args beginning with: 'a' '" + long_arg + "' '" +
                              std::string(21, 'x') + "' ");
}

}  // namespace
}  // namespace tidemark::cache
