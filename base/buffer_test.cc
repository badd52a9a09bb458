#include "base/buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/intrusive_ptr.h"

namespace tidemark {
namespace {

// Counts its references where the test can see them.
struct Counted {
  void AddRef() const { ++*refs; }
  void Release() const { --*refs; }
  int* refs;
};

TEST(IntrusivePtrTest, CountsCopiesAndNotMoves) {
  int refs = 1;
  Counted object{&refs};
  {
    auto first = IntrusivePtr<Counted>::Adopt(&object);
    EXPECT_EQ(refs, 1);
    IntrusivePtr<Counted> second = first;
    EXPECT_EQ(refs, 2);
    IntrusivePtr<Counted> third = std::move(first);
    EXPECT_EQ(refs, 2);
    EXPECT_FALSE(first);
    EXPECT_EQ(second, third);
    second = nullptr;
    EXPECT_EQ(refs, 1);
  }
  EXPECT_EQ(refs, 0);
}

TEST(IntrusivePtrTest, SharesDetachesAndAdoptsAgain) {
  int refs = 1;
  Counted object{&refs};
  auto shared = IntrusivePtr<Counted>::Share(&object);
  EXPECT_EQ(refs, 2);
  Counted* raw = shared.Detach();
  EXPECT_FALSE(shared);
  EXPECT_EQ(refs, 2);
  IntrusivePtr<Counted>::Adopt(raw);
  EXPECT_EQ(refs, 1);
  EXPECT_FALSE(IntrusivePtr<Counted>::Share(nullptr));
}

TEST(IntrusivePtrTest, SurvivesAssignmentToItself) {
  int refs = 1;
  Counted object{&refs};
  auto pointer = IntrusivePtr<Counted>::Adopt(&object);
  IntrusivePtr<Counted>& alias = pointer;
  pointer = alias;
  EXPECT_EQ(refs, 1);
  EXPECT_EQ(pointer.get(), &object);
  pointer = std::move(alias);
  EXPECT_EQ(refs, 1);
}

TEST(BufferTest, CopiesBytesWhateverTheyAre) {
  for (const std::string& bytes :
       {std::string(), std::string("abc"), std::string("\0\r\n\xff", 4)}) {
    const BufferRef buffer = Buffer::Copy(bytes);
    EXPECT_EQ(buffer->view(), bytes);
  }
}

TEST(BufferTest, SharesItsBytesInsteadOfCopyingThem) {
  const BufferRef first = Buffer::Copy("shared");
  const BufferRef second = first;
  EXPECT_EQ(first->data(), second->data());
}

TEST(BufferTest, HoldsAsMuchAsTheLargestValue) {
  constexpr size_t kSize = size_t{512} << 20;
  const BufferRef buffer = Buffer::Make(kSize, [](char* out) {
    out[0] = 'a';
    out[kSize - 1] = 'z';
  });
  EXPECT_EQ(buffer->size(), kSize);
  EXPECT_EQ(buffer->view().front(), 'a');
  EXPECT_EQ(buffer->view().back(), 'z');
}

// The last reference may be dropped by any of them; sanitizers see a buffer freed early, twice or
// never.
TEST(BufferTest, IsFreedOnceWhoeverLetsGoLast) {
  for (int round = 0; round < 200; ++round) {
    BufferRef buffer = Buffer::Copy("frame");
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([mine = buffer] { EXPECT_EQ(mine->view(), "frame"); });
    }
    buffer = nullptr;
    for (std::thread& reader : readers) reader.join();
  }
}

}  // namespace
}  // namespace tidemark
