#include "replication/link/control_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/ids.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;

std::string GoodbyeBytes(const std::string& text = "bye") {
  wire::Goodbye goodbye;
  goodbye.set_code(wire::Goodbye::STOPPING);
  goodbye.set_text(text);
  return EncodeControl(goodbye);
}

// Feeds `bytes` in pieces of `piece` and returns the messages, or the first error.
absl::StatusOr<std::vector<ControlMessage>> ReadAll(std::string_view bytes, size_t piece) {
  MessageReader reader({.frames_allowed = false});
  std::vector<ControlMessage> messages;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    std::string_view input = bytes.substr(0, piece);
    LinkMessage message;
    while (true) {
      const absl::StatusOr<bool> got = reader.Next(&input, &message);
      if (!got.ok()) return got.status();
      if (!*got) break;
      messages.push_back(std::get<ControlMessage>(message));
    }
  }
  return messages;
}

TEST(ControlMessageTest, BytesAreAsDocumented) {
  const std::string bytes = GoodbyeBytes();
  const std::string_view expected(
      "TDMC\x01\x07\x00\x00"  // Layout 1, Goodbye, reserved.
      "\x07\x00\x00\x00"      // A body of 7 bytes.
      "\x41\xff\x0c\xf1"      // CRC32C.
      "\x08\x01\x12\x03"      // code = STOPPING, text of 3 bytes.
      "bye",
      23);
  EXPECT_EQ(testing::PrintToString(bytes), testing::PrintToString(std::string(expected)));
}

TEST(ControlMessageTest, MessagesComeOutWholeHoweverTheBytesArrive) {
  const std::string bytes = GoodbyeBytes("first") + GoodbyeBytes("second") + GoodbyeBytes("");
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    const auto messages = ReadAll(bytes, piece);
    ASSERT_TRUE(messages.ok()) << messages.status();
    ASSERT_EQ(messages->size(), 3u);
    EXPECT_EQ(std::get<wire::Goodbye>((*messages)[1]).text(), "second");
  }
}

TEST(ControlMessageTest, AnyChangedBitIsAnError) {
  const std::string bytes = GoodbyeBytes();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto messages = ReadAll(damaged, damaged.size());
    // A longer length waits for more bytes, and would fail when they have come.
    EXPECT_TRUE(!messages.ok() || messages->empty()) << "bit " << bit;
  }
}

TEST(ControlMessageTest, ErrorsNameTheByteOfTheStream) {
  const std::string good = GoodbyeBytes();
  const auto messages = ReadAll(good + "GET / HTTP/1.1\r\n", 1000);
  ASSERT_FALSE(messages.ok());
  EXPECT_THAT(std::string(messages.status().message()), HasSubstr("byte 23 of the stream"));
}

TEST(ControlMessageTest, ALengthThatIsTooLargeIsRefusedBeforeItsBytesCome) {
  std::string header = GoodbyeBytes().substr(0, kControlHeaderBytes);
  header[10] = 0x7f;
  EXPECT_EQ(ReadAll(header, header.size()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ControlMessageTest, VectorsOfTheMostShardsFit) {
  wire::Hello hello;
  for (int i = 0; i < kMaxShards; ++i) {
    hello.add_applied(~uint64_t{0});
    hello.add_stream_digests(~uint64_t{0});
  }
  wire::Accept accept;
  for (int i = 0; i < kMaxShards; ++i) {
    wire::ShardPlan* shard = accept.add_shards();
    shard->set_source(wire::ShardPlan::SOURCE_SNAPSHOT);
    shard->set_watermark(~uint64_t{0});
    shard->set_stream_digest(~uint64_t{0});
    shard->set_entries(~uint64_t{0});
  }
  EXPECT_LE(EncodeControl(hello).size(), kControlHeaderBytes + kMaxControlBodyBytes);
  EXPECT_LE(EncodeControl(accept).size(), kControlHeaderBytes + kMaxControlBodyBytes);
}

TEST(ControlMessageTest, AFrameIsRefusedWhereOnlyControlMessagesAreExpected) {
  EXPECT_EQ(ReadAll("TDMF\x01\x01", 6).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidemark::replication
