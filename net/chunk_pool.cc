#include "net/chunk_pool.h"

namespace tidemark::net {

ChunkPool::~ChunkPool() {
  while (free_ != nullptr) {
    Chunk* next = free_->next;
    delete free_;
    free_ = next;
  }
}

}  // namespace tidemark::net
