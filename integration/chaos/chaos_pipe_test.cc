#include "integration/chaos/chaos_pipe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tidemark::integration {
namespace {

using Harm = PipeFaults::Harm;

// All that comes out of it at that moment.
std::string Drain(ChaosPipe& pipe, int64_t now_ms) {
  std::string all;
  for (std::string_view piece = pipe.Ready(now_ms); !piece.empty(); piece = pipe.Ready(now_ms)) {
    all += piece;
    pipe.OnWritten(piece.size(), now_ms);
  }
  return all;
}

std::string Carried(const PipeFaults& faults, std::initializer_list<std::string> pushes) {
  ChaosPipe pipe;
  pipe.SetFaults(faults);
  std::string all;
  for (const std::string& bytes : pushes) {
    pipe.Push(bytes.substr(0, pipe.room()), 0);
    all += Drain(pipe, 0);
  }
  return all;
}

TEST(ChaosPipeTest, WithoutFaultsItCarriesWhatComes) {
  EXPECT_EQ(Carried({}, {"abc", "def"}), "abcdef");
}

TEST(ChaosPipeTest, HarmIsDoneOnceAndWhereItIsAsked) {
  EXPECT_EQ(Carried({.harm = Harm::kCorrupt, .harm_at_bytes = 4}, {"abc", "def", "ghi"}),
            std::string("abcd") + static_cast<char>('e' ^ 16) + "fghi");
  EXPECT_EQ(Carried({.harm = Harm::kDrop, .harm_at_bytes = 3, .harm_bytes = 2}, {"abc", "def"}),
            "abcf");
  EXPECT_EQ(Carried({.harm = Harm::kDuplicate, .harm_at_bytes = 5, .harm_bytes = 2}, {"abcdefg"}),
            "abcdedefg");
  EXPECT_EQ(Carried({.harm = Harm::kCut, .harm_at_bytes = 4}, {"abc", "def", "ghi"}), "abcd");
}

TEST(ChaosPipeTest, ACutWaitsForWhatCameBefore) {
  ChaosPipe pipe;
  pipe.SetFaults({.delay_ms = 10, .harm = Harm::kCut, .harm_at_bytes = 2});
  pipe.Push("abc", 0);
  EXPECT_FALSE(pipe.is_cut());
  EXPECT_EQ(Drain(pipe, 10), "ab");
  EXPECT_TRUE(pipe.is_cut());
  EXPECT_EQ(pipe.room(), 0u);
}

TEST(ChaosPipeTest, DelayKeepsTheOrder) {
  ChaosPipe pipe;
  pipe.SetFaults({.delay_ms = 10});
  pipe.Push("a", 0);
  pipe.SetFaults({});
  pipe.Push("b", 1);
  EXPECT_EQ(Drain(pipe, 9), "");
  EXPECT_EQ(pipe.NextMs(9), 10);
  EXPECT_EQ(Drain(pipe, 10), "ab");
  EXPECT_EQ(pipe.NextMs(10), ChaosPipe::kNever);
}

TEST(ChaosPipeTest, PiecesAreNoLargerThanAsked) {
  ChaosPipe pipe;
  pipe.SetFaults({.piece_bytes = 1});
  pipe.Push("ab", 0);
  EXPECT_EQ(pipe.Ready(0), "a");
}

TEST(ChaosPipeTest, ASlowPipeIsAsSlowAsItSays) {
  ChaosPipe pipe;
  pipe.SetFaults({.bytes_per_s = 1'000});
  pipe.Push(std::string(100, 'x'), 0);
  size_t got = 0;
  int64_t now_ms = 0;
  while (!pipe.empty()) {
    now_ms = std::max(now_ms, pipe.NextMs(now_ms));
    got += Drain(pipe, now_ms).size();
    EXPECT_LE(static_cast<int64_t>(got), now_ms);
  }
  EXPECT_LE(now_ms, 200) << "and no slower than that by much";
}

TEST(ChaosPipeTest, OneThatStandsStillTakesAndGivesNothingUntilItGoesOn) {
  ChaosPipe pipe;
  pipe.Push("abc", 0);
  pipe.SetFaults({.stands_still = true});
  EXPECT_EQ(pipe.room(), 0u);
  EXPECT_EQ(Drain(pipe, 1'000), "");
  EXPECT_EQ(pipe.NextMs(1'000), ChaosPipe::kNever);
  pipe.SetFaults({});
  EXPECT_EQ(Drain(pipe, 1'000), "abc");
}

TEST(ChaosPipeTest, WhatWaitsInItIsBounded) {
  ChaosPipe pipe;
  pipe.SetFaults({.delay_ms = 1});
  pipe.Push(std::string(pipe.room(), 'x'), 0);
  EXPECT_EQ(pipe.room(), 0u);
}

}  // namespace
}  // namespace tidemark::integration
