#include "net/output_buffer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tidemark::net {
namespace {

std::string Contents(const OutputBuffer& output) {
  std::vector<iovec> pieces(100'000);
  std::string bytes;
  const size_t count = output.Gather(pieces);
  for (size_t i = 0; i < count; ++i) {
    bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return bytes;
}

TEST(OutputBufferTest, KeepsTheOrderOfCopiesAndReferences) {
  ChunkPool pool;
  OutputBuffer output(pool);
  const BufferRef shared = Buffer::Copy("0123456789");
  output.Append("a");
  output.AppendRef(shared, shared->view().substr(2, 3));
  output.Append("b");
  output.AppendRef(shared, shared->view().substr(9));
  EXPECT_EQ(Contents(output), "a234b9");
  EXPECT_EQ(output.size(), 6u);
}

TEST(OutputBufferTest, AReferencedBufferIsNotCopied) {
  ChunkPool pool;
  OutputBuffer output(pool);
  const BufferRef shared = Buffer::Copy("0123456789");
  output.AppendRef(shared, shared->view());
  iovec piece[1];
  ASSERT_EQ(output.Gather(piece), 1u);
  EXPECT_EQ(piece[0].iov_base, shared->data());
}

TEST(OutputBufferTest, TheEndCanBeTakenOutAndPutBack) {
  const BufferRef shared = Buffer::Copy(std::string(50'000, 'r'));
  std::string all;
  for (const size_t offset : std::vector<size_t>{0, 1, 700, 20'000, 50'003, 70'000}) {
    ChunkPool pool;
    OutputBuffer output(pool);
    output.Append("sent");
    output.Consume(4);
    output.Append(std::string(700, 'a'));
    output.AppendRef(shared, shared->view());
    output.Append(std::string(19'300, 'b'));
    all = Contents(output);
    ASSERT_EQ(all.size(), 70'000u);
    EXPECT_EQ(output.TakeFrom(offset), all.substr(offset));
    EXPECT_EQ(Contents(output), all.substr(0, offset));
    output.Append("more");
    EXPECT_EQ(Contents(output), all.substr(0, offset) + "more");
  }
}

TEST(OutputBufferTest, AnEmptyBufferHoldsNoChunk) {
  ChunkPool pool;
  OutputBuffer output(pool);
  EXPECT_EQ(pool.in_use(), 0u);
  output.Append(std::string(100'000, 'x'));
  EXPECT_EQ(pool.in_use(), 7u);
  output.Consume(99'999);
  EXPECT_EQ(pool.in_use(), 1u);
  output.Consume(1);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_LE(output.memory_bytes(), 512u);  // A short list of segments may stay.
}

TEST(OutputBufferTest, ChunksAreRecycled) {
  ChunkPool pool;
  OutputBuffer output(pool);
  output.Append("a");
  iovec piece[1];
  output.Gather(piece);
  const void* first = piece[0].iov_base;
  output.Consume(1);
  output.Append("b");
  output.Gather(piece);
  EXPECT_EQ(piece[0].iov_base, first);
}

TEST(OutputBufferTest, GatherStopsAtTheRoomItIsGiven) {
  ChunkPool pool;
  OutputBuffer output(pool);
  output.Append(std::string(100'000, 'x'));
  iovec pieces[3];
  EXPECT_EQ(output.Gather(pieces), 3u);
}

TEST(OutputBufferTest, ClearGivesBackChunksAndReferences) {
  ChunkPool pool;
  OutputBuffer output(pool);
  output.Append(std::string(50'000, 'x'));
  output.AppendRef(Buffer::Copy("shared"), "");
  output.Clear();
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(pool.in_use(), 0u);
  output.Append("again");
  EXPECT_EQ(Contents(output), "again");
}

TEST(OutputBufferTest, RandomUseMatchesAString) {
  constexpr uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  ChunkPool pool;
  OutputBuffer output(pool);
  std::string model;
  const BufferRef shared = Buffer::Copy(std::string(50'000, 's'));
  for (int step = 0; step < 5000; ++step) {
    switch (random() % 4) {
      case 0: {
        const std::string bytes(random() % 20'000, static_cast<char>('a' + step % 26));
        output.Append(bytes);
        model += bytes;
        break;
      }
      case 1: {
        const std::string_view bytes = shared->view().substr(0, random() % 50'000);
        output.AppendRef(shared, bytes);
        model += bytes;
        break;
      }
      case 2: {
        const size_t size = 1 + random() % OutputBuffer::kMaxReserve;
        char* out = output.Reserve(size);
        std::memset(out, 'r', size);
        output.Commit(out + size);
        model.append(size, 'r');
        break;
      }
      default: {
        const size_t size = std::min<size_t>(model.size(), random() % 60'000);
        output.Consume(size);
        model.erase(0, size);
      }
    }
    ASSERT_EQ(output.size(), model.size()) << "seed " << kSeed << " step " << step;
    if (step % 16 == 0) {
      ASSERT_EQ(Contents(output), model) << "seed " << kSeed << " step " << step;
    }
  }
  output.Consume(model.size());
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace tidemark::net
