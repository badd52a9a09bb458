#include "base/settings/toml_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

namespace tidemark {
namespace {

using testing::HasSubstr;

class TomlFileTest : public testing::Test {
 protected:
  TomlFileTest() { unlink(path_.c_str()); }

  void Write(std::string_view text) { std::ofstream(path_, std::ios::binary) << text; }
  std::string Read() {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string ReadError() { return std::string(ReadTomlFile(path_).status().message()); }

  const std::string path_ = testing::TempDir() + "/settings.toml";
};

TEST_F(TomlFileTest, EntriesComeInTheOrderOfTheirLines) {
  Write("# head\nport = 7000\n\nbind = '0.0.0.0'\nlatency_tracking = false\n");
  const auto entries = ReadTomlFile(path_);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, "port");
  EXPECT_EQ((*entries)[0].value, "7000");
  EXPECT_EQ((*entries)[0].line, 2);
  EXPECT_EQ((*entries)[1].value, "0.0.0.0");
  EXPECT_EQ((*entries)[2].value, "no");
  EXPECT_EQ((*entries)[2].line, 5);
}

TEST_F(TomlFileTest, ErrorsNameTheFileAndTheLine) {
  EXPECT_THAT(ReadError(), HasSubstr("settings.toml: No such file or directory"));
  Write("port = 1\nbind = \n");
  EXPECT_THAT(ReadError(), HasSubstr("settings.toml:2: "));
  Write("port = 1\nport = 2\n");
  EXPECT_THAT(ReadError(), HasSubstr("settings.toml:2: "));
  Write("\n[clients]\nmaxclients = 1\n");
  EXPECT_THAT(ReadError(), HasSubstr("settings.toml:2: clients must be a string"));
  Write("hz = 1.5\n");
  EXPECT_THAT(ReadError(), HasSubstr("settings.toml:1: hz must be a string, a whole number"));
}

TEST_F(TomlFileTest, ADirectoryIsNoFile) {
  EXPECT_THAT(std::string(ReadTomlFile(testing::TempDir()).status().message()),
              HasSubstr("Is a directory"));
}

TEST_F(TomlFileTest, RewriteKeepsCommentsOrderAndOtherLines) {
  Write("# Größe\nport=7000 # für uns\nbind = \"ä\" # ß\n\n  maxclients   = 0x10\t# last");
  ASSERT_TRUE(RewriteTomlFile(path_, {{{.name = "maxclients", .value = "5"},
                                       {.name = "bind", .value = "\"::1\""},
                                       {.name = "timeout", .value = "9"},
                                       {.name = "hz", .value = "1"}}})
                  .ok());
  EXPECT_EQ(Read(),
            "# Größe\nport=7000 # für uns\nbind = \"::1\" # ß\n\n  maxclients   = 5\t# last\n"
            "# Set while running, written by CONFIG REWRITE.\ntimeout = 9\nhz = 1\n");
}

TEST_F(TomlFileTest, RewriteKeepsTheModeAndTheLink) {
  Write("port = 1\n");
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  const std::string link = path_ + ".link";
  unlink(link.c_str());
  ASSERT_EQ(symlink(path_.c_str(), link.c_str()), 0);
  ASSERT_TRUE(RewriteTomlFile(link, {{{.name = "port", .value = "2"}}}).ok());
  EXPECT_EQ(Read(), "port = 2\n");
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  ASSERT_EQ(lstat(link.c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
}

TEST_F(TomlFileTest, AFailedRewriteLeavesTheFile) {
  Write("port = \n");
  EXPECT_FALSE(RewriteTomlFile(path_, {{{.name = "port", .value = "2"}}}).ok());
  EXPECT_EQ(Read(), "port = \n");
}

TEST_F(TomlFileTest, StringsSurviveTheirQuotes) {
  const std::string odd = "a\"b\\c\n\t\x01\x7f' ü";
  Write("requirepass = " + TomlString(odd) + "\n");
  const auto entries = ReadTomlFile(path_);
  ASSERT_TRUE(entries.ok()) << ReadError();
  EXPECT_EQ((*entries)[0].value, odd);
}

}  // namespace
}  // namespace tidemark
