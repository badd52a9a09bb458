#include "cache/commands/commands_page.h"

#include <gtest/gtest.h>

#include <string>

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

TEST(CommandsPageTest, ACommandIsARowOfItsGroup) {
  const LocalShard shard;
  const std::string page = CommandsPage(shard.table());
  const size_t group = page.find("\n## Group: string\n");
  ASSERT_NE(group, std::string::npos);
  EXPECT_NE(
      page.find("\n| `GET key` | Returns the value of a key. | O(1) | one | 1.0.0 |\n", group),
      std::string::npos);
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
