#include "cache/commands/commands_page.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "cache/commands/local_shard.h"

namespace tidemark::cache {
namespace {

TEST(SyntaxTest, ReadsAsOneWouldTypeIt) {
  const LocalShard shard;
  const auto syntax = [&](std::string_view name) { return SyntaxOf(*shard.table().Find(name)); };
  EXPECT_EQ(syntax("get"), "GET key");
  EXPECT_EQ(syntax("mset"), "MSET key value [key value ...]");
  EXPECT_EQ(syntax("getex"),
            "GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | "
            "PXAT unix-time-milliseconds | PERSIST]");
}

TEST(CommandsPageTest, TheCommittedPageIsCurrent) {
  const LocalShard shard;
  std::ifstream file("docs/commands.md");
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(committed, CommandsPage(shard.table()))
      << "run: bazel run //cache/commands:write_commands_page";
}

TEST(RowsTest, EveryRowIsComplete) {
  const LocalShard shard;
  for (int id = 0; id < shard.table().size(); ++id) {
    const CommandSpec& spec = shard.table().ById(id);
    EXPECT_FALSE(spec.summary.empty()) << spec.name;
    EXPECT_FALSE(spec.since.empty()) << spec.name;
    EXPECT_FALSE(spec.group.empty()) << spec.name;
    EXPECT_FALSE(spec.complexity.empty()) << spec.name;
    EXPECT_NE(spec.arity, 0) << spec.name;
    EXPECT_LE(spec.name.size(), 32u) << spec.name;
    EXPECT_EQ(spec.keys.first > 0, !spec.key_specs.empty()) << spec.name;
  }
}

}  // namespace
}  // namespace tidemark::cache
