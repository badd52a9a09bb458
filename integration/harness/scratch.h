// Scratch is a directory of a test's own, gone when the test is over.

#ifndef TIDEMARK_INTEGRATION_HARNESS_SCRATCH_H_
#define TIDEMARK_INTEGRATION_HARNESS_SCRATCH_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace tidemark::integration {

class Scratch {
 public:
  Scratch() {
    std::string path = testing::TempDir() + "scratch-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path data() const { return path_ / "data"; }
  std::string data_dir() const { return "--data_dir=" + data().string(); }  // The flag.

 private:
  std::filesystem::path path_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_SCRATCH_H_
