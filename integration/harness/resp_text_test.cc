#include "integration/harness/resp_text.h"

#include <gtest/gtest.h>

namespace tidemark::integration {
namespace {

std::string Text(std::string_view bytes) {
  const std::string text = TakeReply(bytes).value_or("(more)");
  return bytes.empty() ? text : text + " and " + std::string(bytes);
}

TEST(RespTextTest, EveryTypeShows) {
  EXPECT_EQ(Text("+OK\r\n"), "+OK");
  EXPECT_EQ(Text("-ERR no\r\n"), "-ERR no");
  EXPECT_EQ(Text(":-12\r\n"), ":-12");
  EXPECT_EQ(Text("$3\r\na\nb\r\n"), "\"a\\x0ab\"");
  EXPECT_EQ(Text("$-1\r\n"), "$nil");
  EXPECT_EQ(Text("*-1\r\n"), "*nil");
  EXPECT_EQ(Text("*2\r\n:1\r\n*0\r\n"), "[:1, []]");
  EXPECT_EQ(Text("_\r\n"), "_");
  EXPECT_EQ(Text("%1\r\n+k\r\n~1\r\n#t\r\n"), "{+k: ~[#t]}");
  EXPECT_EQ(Text("|1\r\n+k\r\n:1\r\n+OK\r\n"), "|{+k: :1} +OK");
  EXPECT_EQ(Text("=6\r\ntxt:ab\r\n"), "=txt:\"ab\"");
}

TEST(RespTextTest, OneReplyIsTakenAndTheRestLeft) {
  EXPECT_EQ(Text("+a\r\n+b\r\n"), "+a and +b\r\n");
}

TEST(RespTextTest, WhatIsNotAllThereIsLeftAlone) {
  const std::string_view whole = "*2\r\n$3\r\nabc\r\n%1\r\n:1\r\n:2\r\n";
  for (size_t size = 0; size < whole.size(); ++size) {
    std::string_view part = whole.substr(0, size);
    EXPECT_EQ(TakeReply(part), std::nullopt);
    EXPECT_EQ(part.size(), size);
  }
  EXPECT_EQ(Text(whole), "[\"abc\", {:1: :2}]");
}

TEST(RespTextTest, WhatIsNoReplyIsShownAsItIs) {
  EXPECT_EQ(Text("hello\r\n"), "(not RESP: \"hello\\x0d\\x0a\")");
  EXPECT_EQ(Text("$-2\r\n"), "(not RESP: \"$-2\\x0d\\x0a\")");
  EXPECT_EQ(Text("*x\r\n"), "(not RESP: \"*x\\x0d\\x0a\")");
}

}  // namespace
}  // namespace tidemark::integration
