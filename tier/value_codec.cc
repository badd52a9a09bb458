#include "tier/value_codec.h"

#include <fmt/format.h>
#include <zstd.h>

#include "base/check.h"

namespace tidemark::tier {
namespace {

// Scratch beyond this is given back after the value that needed it.
constexpr size_t kKeptScratchBytes = size_t{1} << 20;

}  // namespace

void ValueCompressor::FreeContext::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

ValueCompressor::ValueCompressor(int level) : level_(level) {}

ValueCompressor::~ValueCompressor() = default;

std::optional<std::string_view> ValueCompressor::Compress(std::string_view value) {
  if (value.size() < kMinValueBytes) return std::nullopt;
  if (zstd_ == nullptr) zstd_.reset(ZSTD_createCCtx());
  CHECK(zstd_ != nullptr);
  const size_t most = value.size() * kMaxPercent / 100;
  if (scratch_.size() > kKeptScratchBytes) scratch_ = std::string();
  if (scratch_.size() < most) scratch_.resize(most);
  // With no more room than what would pay, zstd itself gives up where it does not.
  const size_t size =
      ZSTD_compressCCtx(zstd_.get(), scratch_.data(), most, value.data(), value.size(), level_);
  if (ZSTD_isError(size)) return std::nullopt;
  return std::string_view(scratch_).substr(0, size);
}

void ValueDecompressor::FreeContext::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

ValueDecompressor::ValueDecompressor() = default;

ValueDecompressor::~ValueDecompressor() = default;

absl::StatusOr<BufferRef> ValueDecompressor::Decompress(std::string_view stored,
                                                        size_t value_bytes) {
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != value_bytes) {
    return absl::DataLossError(
        fmt::format("the compressed value does not hold {} bytes", value_bytes));
  }
  if (zstd_ == nullptr) zstd_.reset(ZSTD_createDCtx());
  CHECK(zstd_ != nullptr);
  size_t size = 0;
  BufferRef value = Buffer::Make(value_bytes, [&](char* out) {
    size = ZSTD_decompressDCtx(zstd_.get(), out, value_bytes, stored.data(), stored.size());
  });
  if (ZSTD_isError(size)) {
    return absl::DataLossError(
        fmt::format("the compressed value is damaged: {}", ZSTD_getErrorName(size)));
  }
  if (size != value_bytes) {
    return absl::DataLossError(
        fmt::format("the compressed value holds {} bytes, not {}", size, value_bytes));
  }
  return value;
}

}  // namespace tidemark::tier
