// FrameDecoder takes frames out of a stream of bytes that comes in pieces of any size.
//
//   std::string_view input = ...;                      // What one read brought.
//   while (true) {
//     absl::StatusOr<FrameRef> frame = decoder.Next(&input);
//     if (!frame.ok()) return Close(frame.status());
//     if (*frame == nullptr) break;                    // input is used up.
//     Apply(std::move(*frame));
//   }
//
// Memory grows with what has arrived, never with what a header claims. Checks of a stream (history,
// contiguous sequences, digest) are the receiver's; checks of records are RecordReader's.
//
// Threading: one thread at a time. No I/O.

#ifndef TIDEMARK_BASE_FORMAT_FRAME_DECODER_H_
#define TIDEMARK_BASE_FORMAT_FRAME_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/format/open_frame.h"

struct ZSTD_DCtx_s;

namespace tidemark {

class FrameDecoder {
 public:
  struct Options {
    size_t max_frame_bytes = kMaxFrameBytes;  // Before and after decompression, header included.
  };
  FrameDecoder() : FrameDecoder(Options()) {}
  explicit FrameDecoder(const Options& options);
  ~FrameDecoder();

  // Takes bytes from the front of *input until they complete a frame, and returns it uncompressed;
  // null once *input is used up. Errors name the byte of the stream; every later call repeats them.
  //   InvalidArgument  a version, kind or flag that this reader does not know, or a frame too large
  //   DataLoss         damage
  absl::StatusOr<FrameRef> Next(std::string_view* input);

  // Whether the next byte begins a frame.
  bool at_boundary() const { return have_ == 0; }
  // Bytes of whole frames returned so far.
  uint64_t consumed_bytes() const { return frame_at_; }
  // Heap held for the frame under way.
  size_t memory_bytes() const { return open_.memory_bytes(); }

 private:
  absl::Status Fail(const absl::Status& problem);
  // The frame under way: its payload is in open_, or comes from one piece of input.
  absl::StatusOr<FrameRef> Finish();
  absl::StatusOr<FrameRef> FinishAtHand(std::string_view payload);
  void Taken();
  absl::StatusOr<FrameRef> Decompress(std::string_view stored);

  const Options options_;
  uint64_t frame_at_ = 0;  // Where in the stream the frame under way begins.
  size_t have_ = 0;        // Bytes of it that have arrived.
  char header_bytes_[kFrameHeaderBytes];
  FrameHeader header_;  // Good once have_ >= kFrameHeaderBytes.
  OpenFrame open_;      // Its stored payload.
  absl::Status failure_;

  struct FreeContext {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, FreeContext> zstd_;  // Made when the first compressed frame comes.
};

// The one frame that `bytes` is, exactly. Errors as above.
absl::StatusOr<FrameRef> DecodeFrame(std::string_view bytes,
                                     const FrameDecoder::Options& options = {});

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FORMAT_FRAME_DECODER_H_
