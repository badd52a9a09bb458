#include "server/stream_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "absl/strings/escaping.h"
#include "base/crc32c.h"
#include "base/format/coding.h"

namespace tidemark::server {
namespace {

using testing::HasSubstr;

constexpr HistoryId kHistory(0x0102030405060708);

StreamToken Token(std::initializer_list<uint64_t> sequences) {
  StreamToken token{.history = kHistory, .sequences = {}};
  for (const uint64_t s : sequences) token.sequences.push_back(Sequence(s));
  return token;
}

// The text of any content, with its right checksum.
std::string Sealed(std::string content) {
  char checksum[4];
  StoreFixed(checksum, Crc32c(content));
  return absl::WebSafeBase64Escape(content.append(checksum, 4));
}
std::string Head() { return std::string("\x01\x08\x07\x06\x05\x04\x03\x02\x01", 9); }

std::string WhyNot(std::string_view text) {
  const absl::StatusOr<StreamToken> token = DecodeToken(text);
  return token.ok() ? "" : std::string(token.status().message());
}

TEST(StreamTokenTest, HasTheBytesThatThePageShows) {
  EXPECT_EQ(EncodeToken(Token({5, 300})), Sealed(Head() + "\x02\x05\xac\x02"));
}

TEST(StreamTokenTest, ComesBackAsItWas) {
  StreamToken widest{
      .history = HistoryId(std::numeric_limits<uint64_t>::max()),
      .sequences = Watermarks(kMaxShards, Sequence(std::numeric_limits<uint64_t>::max()))};
  for (const StreamToken& token : {Token({0}), Token({1'234'567}), Token({0, 7, 0, 1}), widest}) {
    const absl::StatusOr<StreamToken> again = DecodeToken(EncodeToken(token));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, token);
  }
  EXPECT_EQ(EncodeToken(widest).size(), kMaxTokenText);
}

TEST(StreamTokenTest, IsAFewDozenCharactersForFewShards) {
  EXPECT_LE(EncodeToken(Token({9'999'999, 9'999'999, 9'999'999, 9'999'999})).size(), 40u);
}

TEST(StreamTokenTest, EveryChangedCharacterIsFound) {
  const std::string text = EncodeToken(Token({5, 300}));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'Q' ? 'R' : 'Q';
    EXPECT_NE(WhyNot(changed), "") << i;
    EXPECT_NE(WhyNot(text.substr(0, i)), "") << i;
  }
  EXPECT_NE(WhyNot(text + "A"), "");
  EXPECT_NE(WhyNot(text + "="), "");
}

TEST(StreamTokenTest, WhatIsWrongIsSaid) {
  EXPECT_THAT(WhyNot(std::string(kMaxTokenText + 1, 'A')), HasSubstr("too long"));
  EXPECT_THAT(WhyNot("no token!"), HasSubstr("base64url"));
  EXPECT_THAT(WhyNot(""), HasSubstr("cut short"));
  EXPECT_THAT(WhyNot(Sealed("\x02" + Head().substr(1) + "\x01\x05")), HasSubstr("version"));
  EXPECT_THAT(WhyNot(Sealed(std::string("\x01\0\0\0\0\0\0\0\0\x01\x05", 11))),
              HasSubstr("no history"));
  EXPECT_THAT(WhyNot(Sealed(Head() + std::string(1, '\0'))), HasSubstr("number of shards"));
  EXPECT_THAT(WhyNot(Sealed(Head() + "\x81\x08")), HasSubstr("number of shards")) << "1025";
  EXPECT_THAT(WhyNot(Sealed(Head() + "\x02\x05")), HasSubstr("damaged"));
  EXPECT_THAT(WhyNot(Sealed(Head() + std::string("\x01\x85\0", 3))), HasSubstr("damaged"))
      << "a varint that is longer than it need be";
  EXPECT_THAT(WhyNot(Sealed(Head() + "\x01\x05\x05")), HasSubstr("more follows"));
}

}  // namespace
}  // namespace tidemark::server
