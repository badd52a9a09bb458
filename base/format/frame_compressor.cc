#include "base/format/frame_compressor.h"

#include <zstd.h>

#include "base/check.h"

namespace tidemark {

void FrameCompressor::FreeContext::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

FrameCompressor::FrameCompressor(const Options& options) : options_(options) {}

FrameCompressor::~FrameCompressor() = default;

const Frame& FrameCompressor::Compress(const Frame& frame) {
  DCHECK(!frame.is_compressed());
  if (const Frame* twin = frame.compressed(); twin != nullptr) return *twin;
  if (frame.payload().size() < options_.min_payload_bytes) return frame;
  const int64_t begin = options_.clock->MonotonicNanos();
  FrameRef twin = MakeTwin(frame);
  if (!twin) twin = FrameRef::Share(&frame);
  stats_.nanos += static_cast<uint64_t>(options_.clock->MonotonicNanos() - begin);
  ++stats_.frames;
  stats_.raw_bytes += frame.raw_bytes();
  stats_.stored_bytes += twin->stored_bytes();
  return *frame.PublishCompressed(std::move(twin));
}

FrameRef FrameCompressor::MakeTwin(const Frame& frame) {
  const std::string_view from = frame.payload();
  const size_t most = from.size() * static_cast<size_t>(options_.max_percent) / 100;
  if (zstd_ == nullptr) zstd_.reset(ZSTD_createCCtx());
  CHECK(zstd_ != nullptr);
  char* p = open_.Reserve(most);
  CHECK(p != nullptr);
  // With no more room than what would pay, zstd itself gives up where it does not.
  const size_t size =
      ZSTD_compressCCtx(zstd_.get(), p, most, from.data(), from.size(), options_.level);
  if (ZSTD_isError(size)) return nullptr;
  open_.Commit(p + size);
  FrameHeader header = frame.header();
  header.flags |= kFrameZstd;
  return open_.Seal(header);
}

}  // namespace tidemark
