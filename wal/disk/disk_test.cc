// What disk.h promises, of both disks.

#include "wal/disk/disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "wal/disk/posix_disk.h"
#include "wal/disk/simulated_disk.h"
#include "wal/disk/whole_file.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DiskTest : public testing::TestWithParam<bool> {
 protected:
  DiskTest() : simulated_(1) {
    if (real()) {
      root_ = testing::TempDir() + "/disk_test." + std::to_string(getpid());
      std::filesystem::remove_all(root_);
    } else {
      root_ = "/disk_test";
    }
    EXPECT_TRUE(disk().CreateDirectory(root_).ok());
  }
  ~DiskTest() override {
    if (real()) std::filesystem::remove_all(root_);
  }

  bool real() const { return GetParam(); }
  Disk& disk() {
    if (real()) return PosixDisk::Get();
    return simulated_;
  }
  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  std::unique_ptr<File> Create(const std::string& name) {
    absl::StatusOr<std::unique_ptr<File>> file = disk().OpenFile(Path(name), Disk::Open::kCreate);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  std::string Read(const std::string& name) {
    const absl::StatusOr<std::string> read = ReadWholeFile(disk(), Path(name), 1 << 24);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *read : "";
  }
  static std::string Words(const absl::Status& status) { return std::string(status.message()); }

  SimulatedDisk simulated_;
  std::string root_;
};

INSTANTIATE_TEST_SUITE_P(Both, DiskTest, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Posix" : "Simulated");
});

TEST_P(DiskTest, PiecesAreWrittenOneAfterAnother) {
  const auto file = Create("f");
  const std::vector<std::string_view> pieces = {"ab", "", "cde", "f"};
  ASSERT_TRUE(file->WriteAt(2, pieces).ok());
  EXPECT_EQ(Read("f"), std::string("\0\0abcdef", 8));
}

TEST_P(DiskTest, MorePiecesThanOneSystemCallTakes) {
  const auto file = Create("f");
  std::string all;
  std::vector<std::string> parts;
  for (int i = 0; i < 3000; ++i)
    parts.push_back(std::string(i % 7, static_cast<char>('a' + i % 26)));
  std::vector<std::string_view> pieces(parts.begin(), parts.end());
  for (const std::string& part : parts) all += part;
  ASSERT_TRUE(file->WriteAt(0, pieces).ok());
  EXPECT_EQ(Read("f"), all);
}

TEST_P(DiskTest, ReadsEndWhereTheFileEnds) {
  const auto file = Create("f");
  ASSERT_TRUE(file->WriteAt(0, "hello").ok());
  char out[16];
  EXPECT_EQ(*file->ReadAt(1, 3, out), 3u);
  EXPECT_EQ(std::string(out, 3), "ell");
  EXPECT_EQ(*file->ReadAt(3, 16, out), 2u);
  EXPECT_EQ(*file->ReadAt(99, 16, out), 0u);
}

TEST_P(DiskTest, WhatIsInMemoryIsReadWholeOrNotAtAll) {
  const auto file = Create("f");
  ASSERT_TRUE(file->WriteAt(0, "hello").ok());
  for (int i = 0; i < 20; ++i) {
    char out[16];
    if (file->ReadAtIfCached(1, 3, out)) {
      EXPECT_EQ(std::string(out, 3), "ell");
    }
    EXPECT_FALSE(file->ReadAtIfCached(3, 16, out)) << "beyond its end";
    EXPECT_FALSE(file->ReadAtIfCached(99, 1, out));
  }
}

TEST_P(DiskTest, AllocateAddsZerosAndNeverShortens) {
  const auto file = Create("f");
  ASSERT_TRUE(file->WriteAt(0, "abc").ok());
  ASSERT_TRUE(file->Allocate(5000).ok());
  EXPECT_EQ(Read("f"), "abc" + std::string(4997, '\0'));
  ASSERT_TRUE(file->Allocate(10).ok());
  EXPECT_EQ(*file->Size(), 5000u);
}

TEST_P(DiskTest, TruncateCutsAndZerosComeBack) {
  const auto file = Create("f");
  ASSERT_TRUE(file->WriteAt(0, "abcdef").ok());
  ASSERT_TRUE(file->Truncate(3).ok());
  EXPECT_EQ(Read("f"), "abc");
  ASSERT_TRUE(file->Truncate(5).ok());
  EXPECT_EQ(Read("f"), std::string("abc\0\0", 5));
  EXPECT_TRUE(file->Sync().ok());
}

TEST_P(DiskTest, CreateWantsANewNameAndOthersAnOldOne) {
  EXPECT_TRUE(absl::IsNotFound(disk().OpenFile(Path("f"), Disk::Open::kRead).status()));
  EXPECT_TRUE(absl::IsNotFound(disk().OpenFile(Path("f"), Disk::Open::kReadWrite).status()));
  Create("f");
  const absl::Status taken = disk().OpenFile(Path("f"), Disk::Open::kCreate).status();
  EXPECT_TRUE(absl::IsAlreadyExists(taken));
  EXPECT_THAT(Words(taken), HasSubstr(Path("f")));
  EXPECT_THAT(Words(taken), HasSubstr("exists"));
  EXPECT_TRUE(disk().OpenFile(Path("f"), Disk::Open::kReadWrite).ok());
  EXPECT_TRUE(absl::IsNotFound(disk().OpenFile(Path("no/f"), Disk::Open::kCreate).status()));
}

TEST_P(DiskTest, FileOpenedForReadingCannotBeWritten) {
  Create("f");
  const auto file = *disk().OpenFile(Path("f"), Disk::Open::kRead);
  EXPECT_FALSE(file->WriteAt(0, "x").ok());
}

TEST_P(DiskTest, RenameReplacesAFileAndMovesADirectory) {
  ASSERT_TRUE(Create("a")->WriteAt(0, "A").ok());
  ASSERT_TRUE(Create("b")->WriteAt(0, "B").ok());
  ASSERT_TRUE(disk().Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(Read("b"), "A");
  EXPECT_THAT(*disk().List(root_), ElementsAre("b"));
  ASSERT_TRUE(disk().CreateDirectory(Path("d.tmp")).ok());
  ASSERT_TRUE(Create("d.tmp/f")->WriteAt(0, "F").ok());
  ASSERT_TRUE(disk().Rename(Path("d.tmp"), Path("d")).ok());
  EXPECT_EQ(Read("d/f"), "F");
  EXPECT_THAT(*disk().List(Path("d")), ElementsAre("f"));
  EXPECT_TRUE(absl::IsNotFound(disk().Rename(Path("none"), Path("c"))));
}

TEST_P(DiskTest, RemovalsAndLists) {
  Create("b");
  Create("a");
  ASSERT_TRUE(disk().CreateDirectory(Path("d")).ok());
  ASSERT_TRUE(disk().CreateDirectory(Path("d")).ok());
  Create("d/f");
  EXPECT_THAT(*disk().List(root_), ElementsAre("a", "b", "d"));
  EXPECT_TRUE(disk().Remove(Path("a")).ok());
  EXPECT_TRUE(absl::IsNotFound(disk().Remove(Path("a"))));
  EXPECT_FALSE(disk().Remove(Path("d")).ok());
  EXPECT_TRUE(disk().RemoveTree(Path("d")).ok());
  EXPECT_TRUE(disk().RemoveTree(Path("d")).ok());
  EXPECT_THAT(*disk().List(root_), ElementsAre("b"));
  EXPECT_TRUE(absl::IsNotFound(disk().List(Path("d")).status()));
  EXPECT_TRUE(disk().SyncDirectory(root_).ok());
  EXPECT_TRUE(absl::IsNotFound(disk().SyncDirectory(Path("d"))));
}

TEST_P(DiskTest, DirectoryWantsOneAboveAndNoFileInItsPlace) {
  Create("f");
  EXPECT_TRUE(absl::IsAlreadyExists(disk().CreateDirectory(Path("f"))));
  EXPECT_TRUE(absl::IsNotFound(disk().CreateDirectory(Path("no/d"))));
}

TEST_P(DiskTest, LockExcludesUntilItIsReleased) {
  auto lock = disk().Lock(Path("LOCK"));
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Status second = disk().Lock(Path("LOCK")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(Words(second), HasSubstr("process " + std::to_string(real() ? getpid() : 1)));
  lock->reset();
  EXPECT_TRUE(disk().Lock(Path("LOCK")).ok());
}

TEST_P(DiskTest, FreeBytesAreAsked) {
  EXPECT_GT(*disk().FreeBytes(root_), 0u);
  EXPECT_TRUE(absl::IsNotFound(disk().FreeBytes(Path("none")).status()));
}

TEST_P(DiskTest, WholeFileIsReplacedAndLeavesNothingBehind) {
  ASSERT_TRUE(WriteFileAtomically(disk(), Path("m"), "one").ok());
  Create("m.tmp");  // Of a process that died.
  ASSERT_TRUE(WriteFileAtomically(disk(), Path("m"), "two").ok());
  EXPECT_EQ(Read("m"), "two");
  EXPECT_THAT(*disk().List(root_), ElementsAre("m"));
  EXPECT_TRUE(absl::IsResourceExhausted(ReadWholeFile(disk(), Path("m"), 2).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadWholeFile(disk(), Path("none"), 2).status()));
}

TEST(DirectoryOfTest, IsWhatHoldsTheName) {
  EXPECT_EQ(DirectoryOf("/a/b"), "/a");
  EXPECT_EQ(DirectoryOf("/a"), "/");
  EXPECT_EQ(DirectoryOf("a"), ".");
}

}  // namespace
}  // namespace tidemark::wal
