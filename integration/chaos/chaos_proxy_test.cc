// The proxy between two sockets of this test.
#include "integration/chaos/chaos_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "integration/harness/eventually.h"

namespace tidemark::integration {
namespace {

class ChaosProxyTest : public testing::Test {
 protected:
  ChaosProxyTest() : listener_(socket(AF_INET, SOCK_STREAM, 0)), proxy_(Bind(listener_)) {}
  ~ChaosProxyTest() override {
    for (const int fd : {client_, server_, listener_}) {
      if (fd >= 0) close(fd);
    }
  }

  // A pair of sockets, joined by the proxy.
  void Join() {
    client_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Address(proxy_.port());
    ASSERT_EQ(connect(client_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    pollfd pending = {.fd = listener_, .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&pending, 1, static_cast<int>(kPatience.count())), 1);
    server_ = accept(listener_, nullptr, nullptr);
  }
  static void Send(int fd, const std::string& bytes) {
    ASSERT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What came until there are `count` bytes or the end.
  static std::string Read(int fd, size_t count) {
    std::string all;
    char byte;
    while (all.size() < count && recv(fd, &byte, 1, 0) == 1) all += byte;
    return all;
  }
  static bool IsReadable(int fd, int wait_ms) {
    pollfd pending = {.fd = fd, .events = POLLIN, .revents = 0};
    return poll(&pending, 1, wait_ms) == 1;
  }

  static sockaddr_in Address(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }
  static int Bind(int listener) {
    sockaddr_in address = Address(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener, 8), 0);
    EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
  }

  int listener_;
  int client_ = -1;
  int server_ = -1;
  ChaosProxy proxy_;
};

TEST_F(ChaosProxyTest, CarriesBothWaysAndTheEnd) {
  Join();
  const std::string big(1 << 20, 'x');
  Send(client_, "ping");
  EXPECT_EQ(Read(server_, 4), "ping");
  Send(server_, "pong");
  EXPECT_EQ(Read(client_, 4), "pong");
  close(std::exchange(client_, -1));
  EXPECT_EQ(Read(server_, 1), "");
  EXPECT_EQ(proxy_.connections(), 1u);
}

TEST_F(ChaosProxyTest, HarmHitsOneDirectionOnly) {
  proxy_.Set(ChaosProxy::kToTarget,
             {.piece_bytes = 1, .harm = PipeFaults::Harm::kDrop, .harm_at_bytes = 1});
  Join();
  Send(client_, "abc");
  EXPECT_EQ(Read(server_, 2), "ac");
  Send(server_, "abc");
  EXPECT_EQ(Read(client_, 3), "abc");
  EXPECT_EQ(proxy_.harms(), 1u);
}

TEST_F(ChaosProxyTest, HalfOpenHidesTheOtherEndsEndUntilItHeals) {
  Join();
  Send(client_, "a");
  EXPECT_EQ(Read(server_, 1), "a");
  proxy_.Set(ChaosProxy::kToTarget, {.stands_still = true});
  proxy_.Set(ChaosProxy::kFromTarget, {.stands_still = true});
  Send(client_, "b");
  close(std::exchange(client_, -1));
  EXPECT_FALSE(IsReadable(server_, 0));
  proxy_.Heal();
  EXPECT_EQ(Read(server_, 2), "b");
}

TEST_F(ChaosProxyTest, CutEndsBothAndRefuseLetsNobodyIn) {
  Join();
  proxy_.Cut();
  EXPECT_EQ(Read(server_, 1), "");
  EXPECT_EQ(Read(client_, 1), "");
  proxy_.Refuse();
  const int late = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = Address(proxy_.port());
  ASSERT_EQ(connect(late, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(Read(late, 1), "");
  close(late);
  EXPECT_EQ(proxy_.connections(), 1u);
}

}  // namespace
}  // namespace tidemark::integration
