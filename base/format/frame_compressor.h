// FrameCompressor makes the zstd twin of a frame, once for all who want it (the log, subscribers),
// off the shard's thread.
//
// Threading: one thread at a time (it keeps a zstd context). Frames may be shared: if two threads
// compress one frame, one of the twins wins and both send it.

#ifndef TIDEMARK_BASE_FORMAT_FRAME_COMPRESSOR_H_
#define TIDEMARK_BASE_FORMAT_FRAME_COMPRESSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/format/frame.h"
#include "base/format/open_frame.h"

struct ZSTD_CCtx_s;

namespace tidemark {

class FrameCompressor {
 public:
  struct Options {
    int level = 3;
    size_t min_payload_bytes = 512;  // Below, the frame's header dwarfs what could be saved.
    int max_percent = 95;  // A twin larger than this share of the payload is not worth its price.
    const Clock* clock = &Clock::System();  // Borrowed.
  };
  explicit FrameCompressor(const Options& options);
  ~FrameCompressor();

  // What to send for `frame`: its twin, or itself if compressing does not pay. Lives as long as
  // `frame`. Requires: !frame.is_compressed().
  const Frame& Compress(const Frame& frame);

  // Only what this object did; a twin that was there already costs and counts nothing.
  struct Stats {
    uint64_t frames = 0;        // Tried.
    uint64_t raw_bytes = 0;     // Payload of those.
    uint64_t stored_bytes = 0;  // What is sent for them.
    uint64_t nanos = 0;
  };
  const Stats& stats() const { return stats_; }

 private:
  // Null: not worth it.
  FrameRef MakeTwin(const Frame& frame);

  const Options options_;
  Stats stats_;
  OpenFrame open_;
  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> zstd_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FORMAT_FRAME_COMPRESSOR_H_
