// BucketArray is an array of cache-line buckets that grows and shrinks at its end, one bucket at a
// time, and never moves or copies what it holds.
//
// Its segments double in size: one of 16 buckets, then one of 16, 32, 64 and so on, so that a
// handful of pointers reaches any bucket with one shift. A large segment is address space first:
// the kernel gives it pages as buckets come into use, and gets them back as the array shrinks.
//
// Threading: confined to its owner's thread.

#ifndef TIDEMARK_CACHE_BUCKET_ARRAY_H_
#define TIDEMARK_CACHE_BUCKET_ARRAY_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tidemark::cache {

inline constexpr int kSlotsPerBucket = 8;

// Eight words of a KeyTable, which knows what they mean; zero is empty.
struct alignas(64) Bucket {
  uint64_t slots[kSlotsPerBucket];
};

class BucketArray {
 public:
  BucketArray() = default;
  ~BucketArray();
  BucketArray(const BucketArray&) = delete;
  BucketArray& operator=(const BucketArray&) = delete;

  size_t size() const { return size_; }
  // Of buckets in use, those in segments that are mapped instead of allocated.
  size_t mapped_bytes() const {
    return size_ > kMappedFrom ? (size_ - kMappedFrom) * sizeof(Bucket) : 0;
  }

  // Requires: index < size().
  Bucket& operator[](size_t index) const {
    return *reinterpret_cast<Bucket*>(bases_[SegmentOf(index)] + index * sizeof(Bucket));
  }

  // Adds an empty bucket.
  void PushBack();
  // Requires: size() > 0.
  void PopBack();

  void Swap(BucketArray& other) {
    bases_.swap(other.bases_);
    std::swap(size_, other.size_);
  }

 private:
  static constexpr unsigned kFirstSegment =
      3;  // By number of the highest bit of its last index, 15.
  static constexpr unsigned kSegments = 44;

  // Segments of this many buckets, 64 KiB, and more are mapped.
  static constexpr size_t kMappedFrom = 1024;

  static unsigned SegmentOf(size_t index) {
    return 63 - static_cast<unsigned>(std::countl_zero(uint64_t{index} | 15));
  }
  // The first index of a segment, and how many buckets it has.
  static size_t FirstOf(unsigned segment) {
    return segment == kFirstSegment ? 0 : size_t{1} << segment;
  }
  static size_t BytesOf(unsigned segment) {
    return (segment == kFirstSegment ? size_t{16} : size_t{1} << segment) * sizeof(Bucket);
  }

  void AllocateSegment(unsigned segment);
  void FreeSegment(unsigned segment);

  // bases_[s] is where bucket 0 would lie if segment s reached back to it: no subtraction on
  // lookup.
  std::array<uintptr_t, kSegments> bases_{};
  size_t size_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_BUCKET_ARRAY_H_
