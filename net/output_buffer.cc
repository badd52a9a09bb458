#include "net/output_buffer.h"

#include <algorithm>

namespace tidemark::net {

void OutputBuffer::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (cursor_ == limit_) NextChunk();
    const size_t n = std::min(bytes.size(), static_cast<size_t>(limit_ - cursor_));
    std::memcpy(cursor_, bytes.data(), n);
    cursor_ += n;
    bytes.remove_prefix(n);
  }
}

void OutputBuffer::AppendRef(const BufferRef& owner, std::string_view bytes) {
  if (bytes.empty()) return;
  CloseRun(false);
  segments_.push_back({bytes.data(), bytes.size(), owner, false});
  closed_bytes_ += bytes.size();
}

size_t OutputBuffer::Gather(std::span<iovec> pieces) const {
  size_t count = 0;
  for (size_t i = first_; i < segments_.size() && count < pieces.size(); ++i) {
    if (segments_[i].size == 0) continue;
    pieces[count++] = {const_cast<char*>(segments_[i].data), segments_[i].size};
  }
  if (cursor_ != begin_ && count < pieces.size()) {
    pieces[count++] = {begin_, static_cast<size_t>(cursor_ - begin_)};
  }
  return count;
}

void OutputBuffer::Consume(size_t bytes) {
  DCHECK(bytes <= size());
  while (first_ < segments_.size()) {
    Segment& segment = segments_[first_];
    if (bytes < segment.size) {
      segment.data += bytes;
      segment.size -= bytes;
      closed_bytes_ -= bytes;
      return;
    }
    bytes -= segment.size;
    closed_bytes_ -= segment.size;
    if (segment.ends_chunk) GiveFrontChunk();
    segment.owner = nullptr;
    ++first_;
  }
  segments_.clear();
  first_ = 0;
  begin_ += bytes;
  if (begin_ == cursor_) GiveIdleChunk();
}

void OutputBuffer::Clear() {
  segments_.clear();
  first_ = 0;
  closed_bytes_ = 0;
  begin_ = cursor_;
  while (head_ != tail_) GiveFrontChunk();
  GiveIdleChunk();
}

std::string OutputBuffer::TakeFrom(size_t offset) {
  DCHECK(offset <= size());
  std::string all;
  all.reserve(size());
  for (size_t i = first_; i < segments_.size(); ++i)
    all.append(segments_[i].data, segments_[i].size);
  all.append(begin_, static_cast<size_t>(cursor_ - begin_));
  Clear();
  Append(std::string_view(all).substr(0, offset));
  return all.substr(offset);
}

size_t OutputBuffer::memory_bytes() const {
  return chunk_count_ * Chunk::kBytes + segments_.capacity() * sizeof(Segment);
}

void OutputBuffer::NextChunk() {
  if (tail_ != nullptr) CloseRun(true);
  Chunk* chunk = pool_.Take();
  ++chunk_count_;
  if (tail_ == nullptr) {
    head_ = chunk;
  } else {
    tail_->next = chunk;
  }
  tail_ = chunk;
  begin_ = cursor_ = chunk->bytes;
  limit_ = chunk->bytes + Chunk::kCapacity;
}

// Turns the open run into a segment. The end of a chunk gets one even if the run is empty, for its
// mark.
void OutputBuffer::CloseRun(bool ends_chunk) {
  const size_t size = static_cast<size_t>(cursor_ - begin_);
  if (size == 0 && !ends_chunk) return;
  // Sent segments stay in front until all are sent; a queue that never empties must not grow for
  // ever.
  if (first_ > 64 && first_ * 2 > segments_.size()) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
  segments_.push_back({begin_, size, nullptr, ends_chunk});
  closed_bytes_ += size;
  begin_ = cursor_;
}

void OutputBuffer::GiveFrontChunk() {
  Chunk* chunk = head_;
  head_ = chunk->next;
  chunk->next = nullptr;
  pool_.Give(chunk);
  --chunk_count_;
}

// Everything is sent: the last chunk goes back, and so does a long segment list.
void OutputBuffer::GiveIdleChunk() {
  if (segments_.capacity() > 16) std::vector<Segment>().swap(segments_);
  if (head_ == nullptr) return;
  GiveFrontChunk();
  tail_ = nullptr;
  begin_ = cursor_ = limit_ = nullptr;
}

}  // namespace tidemark::net
