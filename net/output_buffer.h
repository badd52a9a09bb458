// OutputBuffer queues what a connection is yet to send: small bytes copied into pooled chunks,
// large ones as slices of shared buffers, in the order in which they were added.
//
//   char* out = output.Reserve(8);
//   out = ...write at most 8 bytes...;
//   output.Commit(out);
//   iovec pieces[16];
//   ssize_t sent = writev(fd, pieces, output.Gather(pieces));
//   output.Consume(sent);
//
// An empty buffer holds no chunk, so that an idle connection costs only this object.
//
// Threading: that of its ChunkPool.

#ifndef TIDEMARK_NET_OUTPUT_BUFFER_H_
#define TIDEMARK_NET_OUTPUT_BUFFER_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/check.h"
#include "net/chunk_pool.h"

namespace tidemark::net {

class OutputBuffer {
 public:
  // The most that one Reserve() may ask for.
  static constexpr size_t kMaxReserve = 4096;

  explicit OutputBuffer(ChunkPool& pool) : pool_(pool) {}
  ~OutputBuffer() { Clear(); }
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  // Room for `bytes` bytes in one piece, good until the next call that is not const.
  // Requires: bytes <= kMaxReserve.
  char* Reserve(size_t bytes) {
    DCHECK(bytes <= kMaxReserve);
    if (static_cast<size_t>(limit_ - cursor_) < bytes) [[unlikely]]
      NextChunk();
    return cursor_;
  }
  // Ends the write that Reserve() began: everything before `end` is output.
  void Commit(char* end) {
    DCHECK(end >= cursor_ && end <= limit_);
    cursor_ = end;
  }

  // Copies `bytes`, of any length.
  void Append(std::string_view bytes);
  // Queues `bytes`, a slice of `owner`, without a copy.
  void AppendRef(const BufferRef& owner, std::string_view bytes);

  // Bytes queued. O(1).
  size_t size() const { return closed_bytes_ + static_cast<size_t>(cursor_ - begin_); }
  bool empty() const { return size() == 0; }

  // Describes the first pieces of output, at most pieces.size(); returns how many. Good until the
  // next call that is not const.
  size_t Gather(std::span<iovec> pieces) const;
  // Drops the first `bytes` bytes, which have been sent. Requires: bytes <= size().
  void Consume(size_t bytes);
  // Drops everything.
  void Clear();
  // Takes out what lies behind the first `offset` bytes, as a copy. Costs as much as all there is:
  // for what happens seldom. Requires: offset <= size().
  std::string TakeFrom(size_t offset);

  // Memory that the queue holds, not counting shared buffers.
  size_t memory_bytes() const;

 private:
  // A run of output that no longer grows: in a chunk, or in `owner`.
  struct Segment {
    const char* data;
    size_t size;
    BufferRef owner;
    bool ends_chunk;  // The chunk at the front of the queue is free once this is sent.
  };

  void NextChunk();
  void CloseRun(bool ends_chunk);
  void GiveFrontChunk();
  void GiveIdleChunk();

  ChunkPool& pool_;
  // The open run at the tail: [begin_, cursor_) is output, [cursor_, limit_) the rest of chunk
  // tail_.
  char* begin_ = nullptr;
  char* cursor_ = nullptr;
  char* limit_ = nullptr;
  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  size_t closed_bytes_ = 0;        // Sum over segments_ from first_ on.
  std::vector<Segment> segments_;  // Before the open run, oldest first, from index first_.
  size_t first_ = 0;
  size_t chunk_count_ = 0;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_OUTPUT_BUFFER_H_
