#include "cache/bucket_array.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "base/check.h"

namespace tidemark::cache {
namespace {

// Segments from here on are mapped, and give memory back in pieces of this size.
constexpr size_t kPieceBytes = 64 * 1024;
constexpr size_t kPieceBuckets = kPieceBytes / sizeof(Bucket);

}  // namespace

BucketArray::~BucketArray() {
  for (unsigned segment = kFirstSegment; segment < kSegments; ++segment) {
    if (bases_[segment] != 0) FreeSegment(segment);
  }
}

void BucketArray::PushBack() {
  const unsigned segment = SegmentOf(size_);
  if (size_ == FirstOf(segment)) AllocateSegment(segment);
  // A bucket of a segment that had shrunk may hold what it held then.
  std::memset(&(*this)[size_], 0, sizeof(Bucket));
  ++size_;
}

void BucketArray::PopBack() {
  DCHECK(size_ > 0);
  --size_;
  const unsigned segment = SegmentOf(size_);
  if (size_ == FirstOf(segment)) {
    FreeSegment(segment);
  } else if (BytesOf(segment) >= kPieceBytes && size_ % kPieceBuckets == 0) {
    ::madvise(&(*this)[size_], kPieceBytes, MADV_DONTNEED);  // Best effort.
  }
}

void BucketArray::AllocateSegment(unsigned segment) {
  static_assert(kMappedFrom == kPieceBuckets);
  CHECK(segment < kSegments);
  const size_t bytes = BytesOf(segment);
  void* memory;
  if (bytes < kPieceBytes) {
    memory = ::operator new(bytes, std::align_val_t(sizeof(Bucket)));
  } else {
    // Mapped, because an allocator may hand out memory that is resident already, and clearing a
    // large piece would be a pause.
    memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
  }
  bases_[segment] = reinterpret_cast<uintptr_t>(memory) - FirstOf(segment) * sizeof(Bucket);
}

void BucketArray::FreeSegment(unsigned segment) {
  const size_t bytes = BytesOf(segment);
  void* memory = reinterpret_cast<void*>(bases_[segment] + FirstOf(segment) * sizeof(Bucket));
  if (bytes < kPieceBytes) {
    ::operator delete(memory, bytes, std::align_val_t(sizeof(Bucket)));
  } else {
    ::munmap(memory, bytes);
  }
  bases_[segment] = 0;
}

}  // namespace tidemark::cache
