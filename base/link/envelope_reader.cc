#include "base/link/envelope_reader.h"

#include <algorithm>
#include <utility>

#include "base/format/coding.h"
#include "fmt/format.h"

namespace tidemark {
namespace {

constexpr size_t kMagicBytes = sizeof(uint32_t);

// Moves bytes from the front of *input to `pending` until that has `want` of them. Whether it has.
bool Fill(std::string* pending, size_t want, std::string_view* input) {
  if (pending->size() < want) {
    const size_t take = std::min(want - pending->size(), input->size());
    pending->append(input->substr(0, take));
    input->remove_prefix(take);
  }
  return pending->size() >= want;
}

}  // namespace

EnvelopeReader::EnvelopeReader(const ControlEnvelope& envelope, const Options& options)
    : envelope_(envelope),
      options_(options),
      frames_({.max_frame_bytes = options.max_frame_bytes}) {}

absl::StatusOr<bool> EnvelopeReader::Next(std::string_view* input, Envelope* envelope) {
  if (!failure_.ok()) return failure_;
  if (inside_ == Inside::kMagic) {
    if (!Fill(&pending_, kMagicBytes, input)) return false;
    const auto magic = LoadFixed<uint32_t>(pending_.data());
    if (magic == envelope_.magic) {
      inside_ = Inside::kControl;
    } else if (magic == kFrameMagic && options_.frames_allowed) {
      inside_ = Inside::kFrame;
    } else {
      return Fail(absl::InvalidArgumentError(
                      fmt::format("{:#010x} begins no message that is expected here", magic)),
                  message_at_);
    }
  }
  return inside_ == Inside::kControl ? NextControl(input, envelope) : NextFrame(input, envelope);
}

absl::StatusOr<bool> EnvelopeReader::NextControl(std::string_view* input, Envelope* envelope) {
  if (!Fill(&pending_, kControlHeaderBytes, input)) return false;
  const absl::StatusOr<ControlHeader> header =
      envelope_.DecodeHeader(std::string_view(pending_).substr(0, kControlHeaderBytes));
  if (!header.ok()) return Fail(header.status(), message_at_);
  const size_t message_bytes = kControlHeaderBytes + header->body_bytes;
  if (!Fill(&pending_, message_bytes, input)) return false;
  control_.swap(pending_);
  pending_.clear();
  const std::string_view whole = control_;
  const std::string_view body = whole.substr(kControlHeaderBytes);
  const absl::Status good = CheckControlBody(whole.substr(0, kControlHeaderBytes), *header, body);
  if (!good.ok()) return Fail(good, message_at_);
  *envelope = ControlBytes{.type = header->type, .body = body};
  last_at_ = message_at_;
  message_at_ += message_bytes;
  inside_ = Inside::kMagic;
  return true;
}

absl::StatusOr<bool> EnvelopeReader::NextFrame(std::string_view* input, Envelope* envelope) {
  // The magic was taken to see whose it is; the decoder wants it, too.
  if (!pending_.empty()) {
    std::string_view magic = pending_;
    const absl::StatusOr<FrameRef> none = frames_.Next(&magic);
    if (!none.ok()) return Fail(none.status(), message_at_);
    pending_.clear();
  }
  absl::StatusOr<FrameRef> frame = frames_.Next(input);
  if (!frame.ok()) return Fail(frame.status(), message_at_);
  if (*frame == nullptr) return false;
  last_at_ = message_at_;
  message_at_ += frames_.consumed_bytes() - frames_at_;
  frames_at_ = frames_.consumed_bytes();
  *envelope = *std::move(frame);
  inside_ = Inside::kMagic;
  return true;
}

absl::Status EnvelopeReader::Fail(const absl::Status& problem, uint64_t message_at) {
  failure_ =
      absl::Status(problem.code(),
                   fmt::format("{} (in the message at byte {} of the stream)",
                               std::string_view(problem.message().data(), problem.message().size()),
                               message_at));
  return failure_;
}

}  // namespace tidemark
