#include "cache/commands/commands_page.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "server/server_command.h"

namespace tidemark::server {
namespace {

TEST(CommandsPageTest, TheCommittedPageIsCurrent) {
  const ServerCommandTable table;
  std::ifstream file("docs/commands.md");
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(committed, cache::CommandsPage(table.commands()))
      << "run: bazel run //server:write_commands_page";
}

TEST(RowsTest, EveryRowOfTheServerIsComplete) {
  const ServerCommandTable table;
  for (int id = 0; id < table.commands().size(); ++id) {
    const cache::CommandSpec& spec = table.commands().ById(id);
    EXPECT_FALSE(spec.summary.empty()) << spec.name;
    EXPECT_FALSE(spec.since.empty()) << spec.name;
    EXPECT_FALSE(spec.group.empty()) << spec.name;
    EXPECT_FALSE(spec.complexity.empty()) << spec.name;
    EXPECT_FALSE(spec.categories.empty()) << spec.name;
    EXPECT_NE(spec.arity, 0) << spec.name;
    // Somebody runs it, unless it is only the first word of others.
    EXPECT_TRUE(spec.handler != nullptr || table.HandlerOf(spec) != nullptr ||
                !spec.subcommands.empty())
        << spec.name;
  }
}

}  // namespace
}  // namespace tidemark::server
