#include "tools/deploy/tidelog/rotating_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace tidemark::tidelog {
namespace {

class RotatingFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/rotating.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  RotatingFile::Options Options(int64_t max_bytes, int kept_files = 2) const {
    return {.path = Path(""), .max_bytes = max_bytes, .kept_files = kept_files};
  }
  std::string Path(const std::string& suffix) const { return folder_ + "/log" + suffix; }
  std::string Content(const std::string& suffix = "") const {
    std::ifstream file(Path(suffix));
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
  }

  std::string folder_;
};

TEST_F(RotatingFileTest, LinesStayWhole) {
  RotatingFile file(Options(10));
  ASSERT_TRUE(file.Open().ok());
  file.Write("one\n");
  file.Write("two\nthree\n");
  EXPECT_EQ(Content(".1"), "one\ntwo\n");
  EXPECT_EQ(Content(), "three\n");
}

TEST_F(RotatingFileTest, KeepsSoManyAndNoMore) {
  RotatingFile file(Options(4));
  ASSERT_TRUE(file.Open().ok());
  for (int i = 0; i < 50; ++i) file.Write(std::to_string(100 + i) + "\n");
  EXPECT_EQ(Content(), "149\n");
  EXPECT_EQ(Content(".1"), "148\n");
  EXPECT_EQ(Content(".2"), "147\n");
  EXPECT_FALSE(std::filesystem::exists(Path(".3")));
}

TEST_F(RotatingFileTest, ALineLongerThanAFileIsCut) {
  RotatingFile file(Options(4, 9));
  ASSERT_TRUE(file.Open().ok());
  file.Write("abcdefghij\nk\n");
  EXPECT_EQ(Content(".3") + Content(".2") + Content(".1") + Content(), "abcdefghij\nk\n");
  EXPECT_LE(Content(".1").size(), 4u);
}

TEST_F(RotatingFileTest, GoesOnWithWhatIsThere) {
  for (int i = 0; i < 2; ++i) {
    RotatingFile file(Options(10));
    ASSERT_TRUE(file.Open().ok());
    file.Write("line\n");
  }
  EXPECT_EQ(Content(), "line\nline\n");
  RotatingFile file(Options(10));
  ASSERT_TRUE(file.Open().ok());
  file.Write("line\n");
  EXPECT_EQ(Content(".1"), "line\nline\n");
}

TEST_F(RotatingFileTest, WhatCannotBeWrittenIsCountedAndSaidLater) {
  const std::string away = folder_ + ".away";
  RotatingFile file(Options(8));
  ASSERT_TRUE(file.Open().ok());
  file.Write("1234567\n");
  std::filesystem::rename(folder_, away);
  file.Write("lost\n");
  EXPECT_EQ(file.dropped_bytes(), 5);
  std::filesystem::rename(away, folder_);
  file.Write("kept\n");
  EXPECT_EQ(file.dropped_bytes(), 5);
  EXPECT_THAT(Content(), testing::EndsWith("tidelog: 5 bytes could not be written here\nkept\n"));
}

TEST_F(RotatingFileTest, AnUnusablePathIsNamed) {
  RotatingFile file({.path = "/no/such/log", .max_bytes = 1, .kept_files = 1});
  EXPECT_THAT(std::string(file.Open().message()),
              testing::StartsWith("/no/such/log: No such file"));
}

}  // namespace
}  // namespace tidemark::tidelog
