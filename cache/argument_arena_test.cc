#include "cache/argument_arena.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

TEST(ArgumentArenaTest, CopiesOutliveTheirSourceAndLaterCopies) {
  ArgumentArena arena;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::vector<std::string>> sources;
    std::vector<Args> copies;
    for (size_t i = 0; i < 500; ++i) {
      // From empty to several blocks.
      const std::vector<std::string> source = {"set", std::string(i * i % 40'000, 'a'), ""};
      const std::vector<std::string_view> views(source.begin(), source.end());
      copies.push_back(arena.Copy(views));
      sources.push_back(source);
    }
    size_t total = 0;
    for (size_t i = 0; i < copies.size(); ++i) {
      ASSERT_EQ(std::vector<std::string>(copies[i].begin(), copies[i].end()), sources[i]);
      total += sources[i][1].size();
    }
    EXPECT_GE(arena.bytes(), total);
    arena.Clear();
    EXPECT_EQ(arena.bytes(), 0u);
  }
}

}  // namespace
}  // namespace tidemark::cache
