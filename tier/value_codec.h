// ValueCodec compresses values on their way to disk and back, with zstd.
//
// Threading: each object belongs to one thread at a time (it keeps a zstd context).

#ifndef TIDEMARK_TIER_VALUE_CODEC_H_
#define TIDEMARK_TIER_VALUE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/buffer.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace tidemark::tier {

class ValueCompressor {
 public:
  // Smaller values stay as they are: the dictionary that zstd builds has no time to pay.
  static constexpr size_t kMinValueBytes = 1024;
  // What does not shrink to this share is not worth decompressing at every read.
  static constexpr size_t kMaxPercent = 95;

  explicit ValueCompressor(int level = 1);
  ~ValueCompressor();

  // The compressed value, good until the next call; nullopt: it does not pay.
  std::optional<std::string_view> Compress(std::string_view value);

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };

  const int level_;
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> zstd_;
  std::string scratch_;
};

class ValueDecompressor {
 public:
  ValueDecompressor();
  ~ValueDecompressor();

  // Requires: value_bytes <= kMaxRecordValueBytes. Allocates only if `stored` itself says that it
  // holds so many.
  //   DataLoss  not one zstd frame of exactly that many bytes
  absl::StatusOr<BufferRef> Decompress(std::string_view stored, size_t value_bytes);

 private:
  struct FreeContext {
    void operator()(ZSTD_DCtx_s* context) const;
  };

  std::unique_ptr<ZSTD_DCtx_s, FreeContext> zstd_;  // Made when the first compressed value comes.
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_VALUE_CODEC_H_
