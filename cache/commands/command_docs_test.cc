// COMMAND as RESP3 shows it; differential_test compares the contents with Redis'.

#include "cache/commands/command_docs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/commands/local_shard.h"

namespace tidemark::cache {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class CommandDocsTest : public testing::Test {
 protected:
  std::string Ask(const std::vector<std::string>& command) {
    return shard_.Run(command, RecordedReply::Protocol::kResp3);
  }

  LocalShard shard_;
};

TEST_F(CommandDocsTest, InfoHasSetsAndMaps) {
  EXPECT_EQ(Ask({"COMMAND", "INFO", "get", "none"}),
            R"([["get", :2, ~[+readonly, +fast], :1, :1, :1, ~[+@read, +@string, +@fast], ~[], )"
            R"(~[%["flags", ~[+RO, +access], )"
            R"("begin_search", %["type", "index", "spec", %["index", :1]], )"
            R"("find_keys", %["type", "range", )"
            R"("spec", %["lastkey", :0, "keystep", :1, "limit", :0]]]], ~[]], nil])");
}

TEST_F(CommandDocsTest, DocsIsAMapByName) {
  EXPECT_EQ(Ask({"COMMAND", "DOCS", "substr", "none"}),
            R"(%["substr", %["summary", "Returns a part of a value.", "since", "1.0.0", )"
            R"("group", "string", "complexity", "O(N) in the length of the part", )"
            R"("doc_flags", ~[+deprecated], "deprecated_since", "2.0.0", )"
            R"("replaced_by", "GETRANGE", "arguments", )"
            R"([%["name", "key", "type", "key", "key_spec_index", :0], )"
            R"(%["name", "start", "type", "integer"], %["name", "end", "type", "integer"]]]])");
  EXPECT_THAT(Ask({"COMMAND", "DOCS", "object"}),
              HasSubstr(R"("subcommands", %["object|encoding", %["summary")"));
}

TEST_F(CommandDocsTest, WithoutNamesItIsAboutAllCommands) {
  const std::string all = Ask({"COMMAND"});
  EXPECT_EQ(Ask({"COMMAND", "INFO"}), all);
  EXPECT_THAT(all, StartsWith(R"([["append", )"));
  EXPECT_EQ(Ask({"COMMAND", "COUNT"}), ":" + std::to_string(shard_.table().All().size()));
  EXPECT_THAT(Ask({"COMMAND", "LIST"}), HasSubstr(R"("object", "object|encoding")"));
  EXPECT_THAT(Ask({"COMMAND", "DOCS"}), HasSubstr(R"("ttl", %["summary")"));
}

TEST_F(CommandDocsTest, ListCanBeFiltered) {
  EXPECT_EQ(Ask({"COMMAND", "LIST", "FILTERBY", "PATTERN", "*EXPIRE*TIME"}),
            R"(["expiretime", "pexpiretime"])");
  const std::string dangerous = Ask({"COMMAND", "LIST", "FILTERBY", "ACLCAT", "DANGEROUS"});
  EXPECT_EQ(dangerous, R"(["flushall", "flushdb", "keys"])");
}

TEST_F(CommandDocsTest, HelpIsLinesOfStatus) {
  EXPECT_THAT(Ask({"COMMAND", "HELP"}), StartsWith("[+COMMAND <subcommand> "));
  EXPECT_THAT(Ask({"OBJECT", "HELP"}), StartsWith("[+OBJECT <subcommand> "));
}

}  // namespace
}  // namespace tidemark::cache
