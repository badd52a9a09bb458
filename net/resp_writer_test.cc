#include "net/resp_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace tidemark::net {
namespace {

using Protocol = RespWriter::Protocol;

// The bytes of what `write` answers.
template <typename Write>
std::string Written(Protocol protocol, Write&& write) {
  ChunkPool pool;
  OutputBuffer output(pool);
  RespWriter writer(output);
  writer.set_protocol(protocol);
  write(writer);
  std::vector<iovec> pieces(1000);
  std::string bytes;
  const size_t count = output.Gather(pieces);
  for (size_t i = 0; i < count; ++i) {
    bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return bytes;
}

template <typename Write>
void ExpectBoth(Write&& write, const std::string& resp2, const std::string& resp3) {
  EXPECT_EQ(Written(Protocol::kResp2, write), resp2);
  EXPECT_EQ(Written(Protocol::kResp3, write), resp3);
}

TEST(RespWriterTest, WritesEveryKindOfReply) {
  ExpectBoth([](RespWriter& w) { w.Ok(); }, "+OK\r\n", "+OK\r\n");
  ExpectBoth([](RespWriter& w) { w.Status("PONG"); }, "+PONG\r\n", "+PONG\r\n");
  ExpectBoth([](RespWriter& w) { w.Error("ERR bad"); }, "-ERR bad\r\n", "-ERR bad\r\n");
  ExpectBoth([](RespWriter& w) { w.Null(); }, "$-1\r\n", "_\r\n");
  ExpectBoth([](RespWriter& w) { w.NullArray(); }, "*-1\r\n", "_\r\n");
  ExpectBoth([](RespWriter& w) { w.Boolean(true); }, ":1\r\n", "#t\r\n");
  ExpectBoth([](RespWriter& w) { w.Boolean(false); }, ":0\r\n", "#f\r\n");
  ExpectBoth([](RespWriter& w) { w.ArrayHeader(3); }, "*3\r\n", "*3\r\n");
  ExpectBoth([](RespWriter& w) { w.MapHeader(3); }, "*6\r\n", "%3\r\n");
  ExpectBoth([](RespWriter& w) { w.SetHeader(12); }, "*12\r\n", "~12\r\n");
  ExpectBoth([](RespWriter& w) { w.PushHeader(2); }, "*2\r\n", ">2\r\n");
  ExpectBoth([](RespWriter& w) { w.Verbatim("txt", "hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
}

TEST(RespWriterTest, AnAttributeComesBeforeItsReply) {
  EXPECT_EQ(Written(Protocol::kResp3,
                    [](RespWriter& w) {
                      w.AttributeHeader(1);
                      w.Bulk("k");
                      w.Bulk("v");
                      w.Ok();
                    }),
            "|1\r\n$1\r\nk\r\n$1\r\nv\r\n+OK\r\n");
}

TEST(RespWriterTest, AnErrorIsOneLine) {
  ExpectBoth([](RespWriter& w) { w.Error("ERR a\r\nb"); }, "-ERR a  b\r\n", "-ERR a  b\r\n");
}

TEST(RespWriterTest, IntegersOfEveryLength) {
  for (const int64_t value :
       {int64_t{0}, int64_t{9}, int64_t{10}, int64_t{99}, int64_t{100}, int64_t{999}, int64_t{1000},
        int64_t{-1}, int64_t{-1000}, std::numeric_limits<int64_t>::max(),
        std::numeric_limits<int64_t>::min()}) {
    const std::string expected = ":" + std::to_string(value) + "\r\n";
    ExpectBoth([value](RespWriter& w) { w.Integer(value); }, expected, expected);
  }
}

TEST(RespWriterTest, BulksOfEveryLength) {
  for (const size_t size :
       {0, 1, 9, 10, 99, 100, 999, 1000, 4069, 4070, 4071, 16383, 16384, 50000}) {
    const std::string bytes(size, 'v');
    const std::string expected = "$" + std::to_string(size) + "\r\n" + bytes + "\r\n";
    ExpectBoth([&](RespWriter& w) { w.Bulk(bytes); }, expected, expected);
    const BufferRef shared = Buffer::Copy(bytes);
    ExpectBoth([&](RespWriter& w) { w.BulkRef(shared, shared->view()); }, expected, expected);
  }
}

TEST(RespWriterTest, DoublesAsRedis70PrintsThem) {
  // From redis-server 7.0.15: ZADD and ZSCORE.
  ExpectBoth([](RespWriter& w) { w.Double(3.14); }, "$18\r\n3.1400000000000001\r\n",
             ",3.1400000000000001\r\n");
  ExpectBoth([](RespWriter& w) { w.Double(1e17); }, "$5\r\n1e+17\r\n", ",1e+17\r\n");
  ExpectBoth([](RespWriter& w) { w.Double(5); }, "$1\r\n5\r\n", ",5\r\n");
  ExpectBoth([](RespWriter& w) { w.Double(1e300); }, "$23\r\n1.0000000000000001e+300\r\n",
             ",1.0000000000000001e+300\r\n");
  ExpectBoth([](RespWriter& w) { w.Double(INFINITY); }, "$3\r\ninf\r\n", ",inf\r\n");
  ExpectBoth([](RespWriter& w) { w.Double(-INFINITY); }, "$4\r\n-inf\r\n", ",-inf\r\n");
}

TEST(RespWriterTest, ALargeBulkRefIsNotCopied) {
  ChunkPool pool;
  OutputBuffer output(pool);
  RespWriter writer(output);
  const BufferRef shared = Buffer::Copy(std::string(RespWriter::kReferenceBytes, 'v'));
  writer.BulkRef(shared, shared->view());
  iovec pieces[3];
  ASSERT_EQ(output.Gather(pieces), 3u);
  EXPECT_EQ(pieces[1].iov_base, shared->data());
}

}  // namespace
}  // namespace tidemark::net
