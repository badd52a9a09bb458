// Against Debian's redis-server: the client must not know our own servers' quirks.
#include "integration/harness/redis_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "integration/harness/free_port.h"
#include "integration/harness/process.h"

namespace tidemark::integration {
namespace {

using testing::Each;
using testing::HasSubstr;

class RedisClientTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Eventually(kPatience, [&] {
      return RedisClient(port_).Do({"PING"}) == Reply::Status("PONG");
    })) << server_.Output();
  }

  const int port_ = FreePort();
  Process server_{{"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save",
                   "", "--dir", testing::TempDir()}};
};

TEST_F(RedisClientTest, ReadsEveryTypeOfReply) {
  RedisClient client(port_);
  EXPECT_EQ(client.Do({"SET", "k", std::string("a\0b", 3)}), Reply::Status("OK"));
  EXPECT_EQ(client.Do({"GET", "k"}), Reply::String(std::string("a\0b", 3)));
  EXPECT_EQ(client.Do({"GET", "missing"}), Reply::Nil());
  EXPECT_EQ(client.Do({"INCR", "n"}), Reply::Integer(1));
  EXPECT_EQ(client.Do({"MGET", "n", "missing"}), Reply::Array({Reply::String("1"), Reply::Nil()}));
  const Reply error = client.Do({"INCR", "k"});
  EXPECT_TRUE(error.is_error());
  EXPECT_THAT(error.text, HasSubstr("not an integer"));
}

TEST_F(RedisClientTest, APipelineAnswersInItsOrder) {
  RedisClient client(port_);
  for (int i = 0; i < 1000; ++i) client.Queue({"INCR", "n"});
  const std::vector<Reply> replies = client.Flush();
  ASSERT_EQ(replies.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(replies[i], Reply::Integer(i + 1));
  EXPECT_TRUE(client.Flush().empty());
}

TEST_F(RedisClientTest, FindsTheFieldsOfAMap) {
  RedisClient client(port_);
  client.Do({"HSET", "h", "a", "1", "b", "2"});
  const Reply map = client.Do({"HGETALL", "h"});
  ASSERT_NE(map.Find("b"), nullptr);
  EXPECT_EQ(*map.Find("b"), Reply::String("2"));
  EXPECT_EQ(map.Find("2"), nullptr) << "a value is no field";
}

TEST_F(RedisClientTest, AServerThatDiesLosesTheRepliesToCome) {
  RedisClient client(port_);
  EXPECT_EQ(client.Do({"PING"}), Reply::Status("PONG"));
  server_.Signal(SIGKILL);
  server_.WaitExit(kPatience);
  for (int i = 0; i < 3; ++i) client.Queue({"PING"});
  EXPECT_THAT(client.Flush(), Each(testing::Field(&Reply::type, Reply::Type::kLost)));
  EXPECT_EQ(RedisClient(port_).Do({"PING"}).type, Reply::Type::kLost);
}

TEST_F(RedisClientTest, AServerThatHangsIsGivenUpAtTheDeadline) {
  RedisClient client(port_, Duration(100));
  server_.Signal(SIGSTOP);
  EXPECT_EQ(client.Do({"PING"}).type, Reply::Type::kLost);
}

}  // namespace
}  // namespace tidemark::integration
