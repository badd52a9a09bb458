#include "integration/harness/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::integration {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ConversationTest, ReadsCommandsBytesAndReplies) {
  const auto conversations = ParseConversations(
      "# Comment\n"
      "== One\n"
      "> SET k \"a b\"\n"
      "\n"
      "B! \"PI\" \"NG\\r\\n\"\n"
      "B<\n"
      "== Two [RESP3]\n"
      "> PING\n");
  ASSERT_TRUE(conversations.ok()) << conversations.status();
  ASSERT_EQ(conversations->size(), 2);
  const auto& [title, only_protocol, exchanges] = conversations->front();
  EXPECT_EQ(title, "One");
  EXPECT_EQ(only_protocol, 0);
  ASSERT_EQ(exchanges.size(), 3);
  EXPECT_THAT(exchanges[0].command, ElementsAre("SET", "k", "a b"));
  EXPECT_EQ(exchanges[0].line, 3);
  EXPECT_EQ(exchanges[0].connection, 'A');
  EXPECT_TRUE(exchanges[0].reads);
  EXPECT_EQ(exchanges[1].bytes, "PING\r\n");
  EXPECT_EQ(exchanges[1].connection, 'B');
  EXPECT_FALSE(exchanges[1].reads);
  EXPECT_TRUE(exchanges[2].reads);
  EXPECT_EQ(conversations->back().only_protocol, 3);
}

TEST(ConversationTest, RemarksBelongToTheReplyAbove) {
  const auto conversations = ParseConversations(
      "== One\n"
      "> SELECT 1\n"
      "    mask id=\\d+\n"
      "    drop x\n"
      "    ours -ERR no\n"
      "    because there is one database\n");
  ASSERT_TRUE(conversations.ok()) << conversations.status();
  const Exchange& select = conversations->front().exchanges.front();
  EXPECT_EQ(select.masks[0].regex, "id=\\d+");
  EXPECT_EQ(select.masks[0].replacement, "#");
  EXPECT_EQ(select.masks[1].replacement, "");
  EXPECT_EQ(select.ours, "-ERR no");
  EXPECT_EQ(select.because, "there is one database");
}

TEST(ConversationTest, WhatItDoesNotUnderstandIsNamed) {
  const auto error = [](std::string_view text) {
    return std::string(ParseConversations(text).status().message());
  };
  EXPECT_THAT(error("> PING\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("== One\nPING\n"), HasSubstr("line 2"));
  EXPECT_THAT(error("== One\n! \"x\"\n    differs\n"), HasSubstr("line 3"));
  EXPECT_THAT(error("== One\n> PING\n    maks x\n"), HasSubstr("no such remark"));
  EXPECT_THAT(error("== One\n> PING\n    differs\n> PING\n"), HasSubstr("no reason"));
  EXPECT_THAT(error("== One\n> PING\n    ours x\n"), HasSubstr("no reason"));
}

}  // namespace
}  // namespace tidemark::integration
