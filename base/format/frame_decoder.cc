#include "base/format/frame_decoder.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/crc32c.h"

namespace tidemark {
namespace {

absl::Status WrongChecksum() { return absl::DataLossError("the checksum does not match"); }

}  // namespace

void FrameDecoder::FreeContext::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

FrameDecoder::FrameDecoder(const Options& options)
    : options_{.max_frame_bytes = std::min(options.max_frame_bytes, kMaxFrameBytes)} {}

FrameDecoder::~FrameDecoder() = default;

absl::Status FrameDecoder::Fail(const absl::Status& problem) {
  failure_ = absl::Status(problem.code(), fmt::format("frame at byte {} of the stream: {}",
                                                      frame_at_, std::string(problem.message())));
  return failure_;
}

absl::StatusOr<FrameRef> FrameDecoder::Next(std::string_view* input) {
  if (!failure_.ok()) return failure_;
  if (input->empty()) return FrameRef();
  if (have_ < kFrameHeaderBytes) {
    const size_t take = std::min(input->size(), kFrameHeaderBytes - have_);
    std::memcpy(header_bytes_ + have_, input->data(), take);
    input->remove_prefix(take);
    have_ += take;
    if (have_ < kFrameHeaderBytes) return FrameRef();
    const absl::Status good =
        DecodeFrameHeader({header_bytes_, kFrameHeaderBytes}, options_.max_frame_bytes, &header_);
    if (!good.ok()) return Fail(good);
  }
  if (have_ == kFrameHeaderBytes && input->size() >= header_.stored_bytes) {
    const std::string_view payload = input->substr(0, header_.stored_bytes);
    input->remove_prefix(payload.size());
    return FinishAtHand(payload);
  }
  const size_t missing = kFrameHeaderBytes + header_.stored_bytes - have_;
  const size_t take = std::min(input->size(), missing);
  if (take > 0) {
    char* p = open_.Reserve(take);
    CHECK(p != nullptr);  // max_frame_bytes is within the format's own limit.
    std::memcpy(p, input->data(), take);
    open_.Commit(p + take);
    input->remove_prefix(take);
    have_ += take;
  }
  if (take < missing) return FrameRef();
  return Finish();
}

absl::StatusOr<FrameRef> FrameDecoder::FinishAtHand(std::string_view payload) {
  constexpr size_t kChecksumAt = kFrameHeaderBytes - 4;
  constexpr std::string_view kZero("\0\0\0", 4);
  const std::string_view header(header_bytes_, kFrameHeaderBytes);
  const uint32_t crc = Crc32c(payload, Crc32c(kZero, Crc32c(header.substr(0, kChecksumAt))));
  if (crc != LoadFixed<uint32_t>(header_bytes_ + kChecksumAt)) return Fail(WrongChecksum());
  absl::StatusOr<FrameRef> frame =
      (header_.flags & kFrameZstd) != 0 ? Decompress(payload) : OpenFrame::Copy(header, payload);
  if (!frame.ok()) return Fail(frame.status());
  Taken();
  return frame;
}

void FrameDecoder::Taken() {
  frame_at_ += kFrameHeaderBytes + header_.stored_bytes;
  have_ = 0;
}

absl::StatusOr<FrameRef> FrameDecoder::Finish() {
  // Encoding what was decoded gives the same bytes, so one pass computes and checks the checksum.
  FrameRef frame = open_.Seal(header_);
  if (frame->crc32c() != LoadFixed<uint32_t>(header_bytes_ + kFrameHeaderBytes - 4)) {
    return Fail(WrongChecksum());
  }
  if (frame->is_compressed()) {
    absl::StatusOr<FrameRef> raw = Decompress(frame->stored_payload());
    if (!raw.ok()) return Fail(raw.status());
    frame = *std::move(raw);
  }
  Taken();
  return frame;
}

absl::StatusOr<FrameRef> FrameDecoder::Decompress(std::string_view from) {
  const unsigned long long content = ZSTD_getFrameContentSize(from.data(), from.size());
  if (content != header_.raw_bytes) {
    return absl::DataLossError(
        fmt::format("zstd says other than the header's {} bytes", header_.raw_bytes));
  }
  if (zstd_ == nullptr) zstd_.reset(ZSTD_createDCtx());
  CHECK(zstd_ != nullptr);
  char* p = open_.Reserve(header_.raw_bytes);
  CHECK(p != nullptr);
  const size_t size =
      ZSTD_decompressDCtx(zstd_.get(), p, header_.raw_bytes, from.data(), from.size());
  if (ZSTD_isError(size)) {
    return absl::DataLossError(fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  }
  if (size != header_.raw_bytes) {
    return absl::DataLossError(
        fmt::format("{} bytes where the header says {}", size, header_.raw_bytes));
  }
  open_.Commit(p + size);
  FrameHeader raw = header_;
  raw.flags &= static_cast<uint16_t>(~kFrameZstd);
  return open_.Seal(raw);
}

absl::StatusOr<FrameRef> DecodeFrame(std::string_view bytes, const FrameDecoder::Options& options) {
  FrameDecoder decoder(options);
  absl::StatusOr<FrameRef> frame = decoder.Next(&bytes);
  if (!frame.ok()) return frame;
  if (*frame == nullptr) return absl::DataLossError("the frame is cut");
  if (!bytes.empty()) {
    return absl::DataLossError(fmt::format("{} bytes after the frame", bytes.size()));
  }
  return frame;
}

}  // namespace tidemark
