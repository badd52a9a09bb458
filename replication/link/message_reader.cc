#include "replication/link/message_reader.h"

#include <algorithm>
#include <utility>

#include "base/format/coding.h"
#include "fmt/format.h"

namespace tidemark::replication {
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

MessageReader::MessageReader(const Options& options)
    : options_(options), frames_({.max_frame_bytes = options.max_frame_bytes}) {}

absl::StatusOr<bool> MessageReader::Next(std::string_view* input, LinkMessage* message) {
  if (!failure_.ok()) return failure_;
  if (inside_ == Inside::kMagic) {
    if (!Fill(&pending_, kMagicBytes, input)) return false;
    const auto magic = LoadFixed<uint32_t>(pending_.data());
    if (magic == kControlMagic) {
      inside_ = Inside::kControl;
    } else if (magic == kFrameMagic && options_.frames_allowed) {
      inside_ = Inside::kFrame;
    } else {
      return Fail(absl::InvalidArgumentError(
          fmt::format("{:#010x} begins no message that is expected here", magic)));
    }
  }
  return inside_ == Inside::kControl ? NextControl(input, message) : NextFrame(input, message);
}

absl::StatusOr<bool> MessageReader::NextControl(std::string_view* input, LinkMessage* message) {
  if (!Fill(&pending_, kControlHeaderBytes, input)) return false;
  const std::string_view header_bytes = std::string_view(pending_).substr(0, kControlHeaderBytes);
  const absl::StatusOr<ControlHeader> header = DecodeControlHeader(header_bytes);
  if (!header.ok()) return Fail(header.status());
  const size_t message_bytes = kControlHeaderBytes + header->body_bytes;
  if (!Fill(&pending_, message_bytes, input)) return false;
  absl::StatusOr<ControlMessage> control =
      DecodeControlBody(std::string_view(pending_).substr(0, kControlHeaderBytes), *header,
                        std::string_view(pending_).substr(kControlHeaderBytes));
  if (!control.ok()) return Fail(control.status());
  *message = *std::move(control);
  pending_.clear();
  message_at_ += message_bytes;
  inside_ = Inside::kMagic;
  return true;
}

absl::StatusOr<bool> MessageReader::NextFrame(std::string_view* input, LinkMessage* message) {
  // The magic was taken to see whose it is; the decoder wants it, too.
  if (!pending_.empty()) {
    std::string_view magic = pending_;
    const absl::StatusOr<FrameRef> none = frames_.Next(&magic);
    if (!none.ok()) return Fail(none.status());
    pending_.clear();
  }
  absl::StatusOr<FrameRef> frame = frames_.Next(input);
  if (!frame.ok()) return Fail(frame.status());
  if (*frame == nullptr) return false;
  message_at_ += frames_.consumed_bytes() - frames_at_;
  frames_at_ = frames_.consumed_bytes();
  *message = *std::move(frame);
  inside_ = Inside::kMagic;
  return true;
}

absl::Status MessageReader::Fail(const absl::Status& problem) {
  failure_ =
      absl::Status(problem.code(),
                   fmt::format("{} (in the message at byte {} of the stream)",
                               std::string_view(problem.message().data(), problem.message().size()),
                               message_at_));
  return failure_;
}

}  // namespace tidemark::replication
