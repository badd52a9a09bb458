// A million strings of bytes that no client or replica would send, at each of a primary's two
// ports: it neither dies nor hangs nor grows.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/sanitizers.h"
#include "integration/harness/node.h"

namespace tidemark::integration {
namespace {

constexpr int kStrings = Scaled(1'000'000, 200'000);
constexpr int kCheckEvery = 50'000;
constexpr int kPatienceMs = 30'000;

void Send(int peer, const std::string& bytes) {
  // A peer that has seen enough may close before it has read all: that is as good.
  send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// Connects; says `greeting`, unless it is empty, and waits until the peer speaks; sends `bytes`,
// says that no more will come, and reads until the peer closes. False if it cannot be reached, is
// silent, or does not close in time.
bool SendUntilClosed(int port, const std::string& greeting, const std::string& bytes) {
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  pollfd readable = {.fd = peer, .events = POLLIN, .revents = 0};
  bool well = connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  if (well && !greeting.empty()) {
    Send(peer, greeting);
    well = poll(&readable, 1, kPatienceMs) == 1;
  }
  if (well) {
    Send(peer, bytes);
    shutdown(peer, SHUT_WR);
    char buffer[16 << 10];
    do {
      well = poll(&readable, 1, kPatienceMs) == 1;
    } while (well && recv(peer, buffer, sizeof(buffer), 0) > 0);
  }
  close(peer);
  return well;
}

// Strings that are nearly right, or not at all. The same seed gives the same strings.
class BadStrings {
 public:
  BadStrings(uint64_t seed, std::vector<std::string> good)
      : random_(seed), good_(std::move(good)) {}

  std::string Next() {
    if (Draw(4) == 0) return RandomBytes(1 + Draw(100));
    std::string bytes = good_[Draw(good_.size())];
    for (size_t mutations = 1 + Draw(3); mutations > 0; --mutations) Mutate(bytes);
    return bytes;
  }

  // What to say before the strings of the next connection.
  std::string Greeting() { return ""; }

  size_t Draw(size_t below) { return random_() % below; }

 private:
  std::string RandomBytes(size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }

  void Mutate(std::string& bytes) {
    const size_t at = Draw(bytes.size() + 1);
    switch (Draw(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] ^= static_cast<char>(1 << Draw(8));
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.insert(at, RandomBytes(1 + Draw(8)));
        break;
      case 3:
        bytes.erase(at, Draw(8));
        break;
      case 4:
        bytes.insert(at, bytes.substr(Draw(bytes.size() + 1), Draw(32)));
        break;
      default: {
        // Numbers at the edges of what a length may be.
        static const std::vector<std::string> kNumbers = {
            "0",          "-1",          "-2",        "2147483647",          "2147483648",
            "4294967296", "536870912",   "536870913", "9223372036854775807", "-9223372036854775808",
            "1048577",    "00000000001", "1e9",       "18446744073709551616"};
        bytes.insert(at, kNumbers[Draw(kNumbers.size())]);
      }
    }
  }

  std::mt19937_64 random_;
  const std::vector<std::string> good_;
};

// Requests that a mutation turns neither into a stop of the server nor into a wait.
std::vector<std::string> ClientRequests() {
  return {
      "*1\r\n$4\r\nPING\r\n",
      "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n",
      "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n",
      "*5\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n$2\r\nPX\r\n$4\r\n1000\r\n",
      "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n",
      "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n",
      "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$4\r\nMGET\r\n$1\r\na\r\n",
      "*3\r\n$6\r\nAPPEND\r\n$1\r\na\r\n$0\r\n\r\n",
      "*4\r\n$8\r\nSETRANGE\r\n$1\r\na\r\n$1\r\n9\r\n$1\r\nx\r\n",
      "*3\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nCOUNT\r\n",
      "*2\r\n$4\r\nTIDE\r\n$10\r\nWATERMARKS\r\n",
      "PING\r\nSET key \"quoted value\"\r\nGET 'key'\r\n",
      "get key\nset key \"\\x41\\n\"\n",
      "*0\r\n*-1\r\n\r\n\r\nPING\r\n",
  };
}

// A control message of the link (docs/protocol.md), whose checksum is right.
std::string Sealed(char type, const std::string& body) {
  const auto fixed32 = [](uint32_t number) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift);
    return bytes;
  };
  const std::string header = std::string("TDMC") + '\x01' + type + std::string(2, '\0') +
                             fixed32(static_cast<uint32_t>(body.size()));
  return header + fixed32(Crc32c(body, Crc32c(header))) + body;
}

constexpr char kHello = 1;
constexpr char kAck = 5;

// A Hello of a replica that has two shards of some history.
std::string HelloBody() {
  const std::string two_numbers = std::string("\x10") + std::string(16, '\x01');
  return std::string("\x08\x01\x10\x01\x18\x01\x22\x02id\x29") + std::string(8, '\x07') +
         "\x30\x02\x3a" + two_numbers + "\x42" + two_numbers + "\x50\x01\x58\x7f";
}

std::string AckBody() {
  const std::string two_numbers = std::string("\x10") + std::string(16, '\x01');
  return "\x0a" + two_numbers + "\x12" + two_numbers + "\x18\x05";
}

std::vector<std::string> LinkMessages() {
  return {
      Sealed(kHello, HelloBody()) + Sealed(kAck, AckBody()),
      Sealed(kHello, ""),
      std::string("TDMF") + '\x01' + std::string(60, '\0'),  // docs/formats/frame.md.
      std::string("TDMF") + '\x01' + '\x01' + std::string(58, '\xff'),
      "*1\r\n$4\r\nPING\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),  // TLS.
  };
}

// As BadStrings, but half of the messages have a right checksum around a bad body, and some
// connections are those of an accepted replica: what they say is read to the end.
class BadLinkMessages {
 public:
  explicit BadLinkMessages(uint64_t seed)
      : raw_(seed, LinkMessages()), bodies_(seed + 1, {HelloBody(), AckBody()}) {}

  std::string Next() {
    return Draw(2) == 0 ? Sealed(static_cast<char>(Draw(9)), bodies_.Next()) : raw_.Next();
  }
  std::string Greeting() { return Draw(1000) == 0 ? Sealed(kHello, HelloBody()) : ""; }

  size_t Draw(size_t below) { return raw_.Draw(below); }

 private:
  BadStrings raw_;
  BadStrings bodies_;
};

class BadInputTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(primary_.AwaitReady()); }

  // Sends kStrings to `port`, several a connection, and looks now and then whether the node is
  // well.
  template <typename Strings>
  void Bombard(int port, Strings strings) {
    RedisClient observer = primary_.Connect();
    int64_t settled_bytes = 0;
    for (int sent = 0; sent < kStrings;) {
      const int next_check = sent + kCheckEvery;
      while (sent < next_check) {
        const std::string greeting = strings.Greeting();
        std::string bytes;
        for (size_t i = 1 + strings.Draw(8); i > 0; --i, ++sent) bytes += strings.Next();
        ASSERT_TRUE(SendUntilClosed(port, greeting, bytes)) << "after " << sent << " strings";
      }
      // Mutated keys are keys; without them nothing may remain.
      ASSERT_EQ(observer.Do({"FLUSHALL"}), Reply::Status("OK"));
      ASSERT_EQ(observer.Do({"SET", "key", "value"}), Reply::Status("OK"));
      const int64_t resident_bytes = primary_.process().ResidentBytes();
      if (settled_bytes == 0) settled_bytes = resident_bytes;
      ASSERT_LT(resident_bytes, settled_bytes + kAllocatorSlackBytes) << "after " << sent;
    }
  }

  // A small backlog, so that what it keeps of the strings' writes does not count as growth.
  Node primary_ = Node::Primary({"--shards=2", "--backlog_bytes=1mb"});
};

TEST_F(BadInputTest, AMillionBadStringsAtTheClientPortDoNoHarm) {
  Bombard(primary_.port(), BadStrings(40, ClientRequests()));
}

TEST_F(BadInputTest, AMillionBadStringsAtTheReplicationPortDoNoHarm) {
  Bombard(primary_.replication_port(), BadLinkMessages(41));
}

}  // namespace
}  // namespace tidemark::integration
