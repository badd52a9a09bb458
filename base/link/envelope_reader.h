// EnvelopeReader cuts the bytes of a link into data frames and control bodies that are not parsed
// yet. MessageReader (message_reader.h) parses them and is what links use.
//
// Threading: one thread at a time. No I/O.

#ifndef TIDEMARK_BASE_LINK_ENVELOPE_READER_H_
#define TIDEMARK_BASE_LINK_ENVELOPE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame_decoder.h"
#include "base/link/control_envelope.h"

namespace tidemark {

// The body of a control message. The view is good until the next call of the reader.
struct ControlBytes {
  uint8_t type = 0;
  std::string_view body;
};

using Envelope = std::variant<ControlBytes, FrameRef>;

class EnvelopeReader {
 public:
  struct Options {
    bool frames_allowed = true;  // Who only sends frames reads control messages only.
    size_t max_frame_bytes = kMaxFrameBytes;
  };
  EnvelopeReader(const ControlEnvelope& envelope, const Options& options);

  // As MessageReader::Next().
  absl::StatusOr<bool> Next(std::string_view* input, Envelope* envelope);

  // What Next() returned last is bad in the caller's eyes: an error like Next()'s own.
  absl::Status Reject(const absl::Status& problem) { return Fail(problem, last_at_); }

 private:
  enum class Inside { kMagic, kControl, kFrame };

  absl::StatusOr<bool> NextControl(std::string_view* input, Envelope* envelope);
  absl::StatusOr<bool> NextFrame(std::string_view* input, Envelope* envelope);
  absl::Status Fail(const absl::Status& problem, uint64_t message_at);

  const ControlEnvelope envelope_;
  const Options options_;
  Inside inside_ = Inside::kMagic;
  std::string pending_;  // Of a message of which less than its magic, or a part of a control
                         // message, is here.
  std::string control_;  // The control message returned last.

  FrameDecoder frames_;
  uint64_t frames_at_ = 0;   // Of frames_.consumed_bytes(), what message_at_ includes.
  uint64_t message_at_ = 0;  // Where in the stream the message under way begins.
  uint64_t last_at_ = 0;     // Where the message returned last begins.
  absl::Status failure_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_ENVELOPE_READER_H_
