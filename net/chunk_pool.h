// ChunkPool recycles the fixed pieces of memory that a thread's connections queue their output in.
//
// Threading: confined to one thread. Outlives every OutputBuffer that draws from it.

#ifndef TIDEMARK_NET_CHUNK_POOL_H_
#define TIDEMARK_NET_CHUNK_POOL_H_

#include <cstddef>

namespace tidemark::net {

struct Chunk {
  static constexpr size_t kBytes = 16 * 1024;
  static constexpr size_t kCapacity = kBytes - sizeof(void*);

  Chunk* next = nullptr;  // In the pool's free list, or in the queue of an OutputBuffer.
  char bytes[kCapacity];
};
static_assert(sizeof(Chunk) == Chunk::kBytes);

class ChunkPool {
 public:
  // Keeps at most `max_free` idle chunks; the rest go back to the allocator.
  explicit ChunkPool(size_t max_free = 64) : max_free_(max_free) {}
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  Chunk* Take() {
    ++in_use_;
    if (free_ == nullptr) return new Chunk;
    Chunk* chunk = free_;
    free_ = chunk->next;
    chunk->next = nullptr;
    --free_count_;
    return chunk;
  }

  void Give(Chunk* chunk) {
    --in_use_;
    if (free_count_ == max_free_) {
      delete chunk;
      return;
    }
    chunk->next = free_;
    free_ = chunk;
    ++free_count_;
  }

  size_t in_use() const { return in_use_; }  // Chunks taken and not yet given back.

 private:
  const size_t max_free_;
  Chunk* free_ = nullptr;
  size_t free_count_ = 0;
  size_t in_use_ = 0;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_CHUNK_POOL_H_
