#include "server/reply_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tidemark::server {
namespace {

TEST(ReplyBytesTest, EveryKindOfReplyEndsWhereItEnds) {
  for (const std::string_view reply :
       {"+OK\r\n", "-ERR no\r\n", ":-12\r\n", "$5\r\na\r\nbc\r\n", "$0\r\n\r\n", "$-1\r\n",
        "*-1\r\n", "*0\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "=7\r\ntxt:abc\r\n",
        "%1\r\n+a\r\n:1\r\n", "~2\r\n:1\r\n:2\r\n", ">2\r\n+a\r\n+b\r\n",
        "*2\r\n*2\r\n:1\r\n$1\r\nx\r\n%1\r\n+k\r\n*0\r\n", "|1\r\n+token\r\n$2\r\nab\r\n+OK\r\n"}) {
    const std::string behind = std::string(reply) + "+NEXT\r\n";
    EXPECT_EQ(ReplySize(behind), reply.size()) << reply;
    for (size_t cut = 0; cut < reply.size(); ++cut) {
      EXPECT_EQ(ReplySize(reply.substr(0, cut)), 0u) << reply << " cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace tidemark::server
