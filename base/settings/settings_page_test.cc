#include "base/settings/settings_page.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace tidemark {
namespace {

TEST(SettingsPageTest, TheCommittedPageIsWhatTheTableSays) {
  std::ifstream file("docs/configuration.md");
  ASSERT_TRUE(file);
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(committed, ConfigurationPage())
      << "Run: bazel run //tools/settings_doc > docs/configuration.md";
}

TEST(SettingsPageTest, HelpFitsItsColumns) {
  const std::string help = HelpText(NodeRole::kPrimary);
  for (size_t begin = 0; begin < help.size();) {
    const size_t end = help.find('\n', begin);
    EXPECT_LE(end - begin, 130u) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace tidemark
