// MessageReader cuts the bytes of a link into messages: data frames and the control messages of one
// protocol, a ControlCodec.
//
//   std::string_view input = ...;                        // What one read brought.
//   MessageReader<Codec>::Message message;
//   while (true) {
//     absl::StatusOr<bool> got = reader.Next(&input, &message);
//     if (!got.ok()) return Close(got.status());
//     if (!*got) break;                                  // input is used up.
//     Handle(message);
//   }
//
// Memory grows with what has arrived, never with what a header claims.
//
// Threading: one thread at a time. No I/O.

#ifndef TIDEMARK_BASE_LINK_MESSAGE_READER_H_
#define TIDEMARK_BASE_LINK_MESSAGE_READER_H_

#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/link/control_codec.h"
#include "base/link/envelope_reader.h"

namespace tidemark {

template <typename Codec>
class MessageReader {
 public:
  using Options = EnvelopeReader::Options;
  using Message = std::variant<typename Codec::Message, FrameRef>;

  explicit MessageReader(const Options& options) : envelopes_(Codec::kEnvelope, options) {}

  // Takes bytes from the front of *input until they complete a message: true, and *message is it.
  // False once *input is used up. Errors name the byte of the stream; every later call repeats
  // them.
  //   InvalidArgument  what this reader does not know or does not allow
  //   DataLoss         damage
  absl::StatusOr<bool> Next(std::string_view* input, Message* message) {
    Envelope envelope;
    const absl::StatusOr<bool> got = envelopes_.Next(input, &envelope);
    if (!got.ok() || !*got) return got;
    if (auto* frame = std::get_if<FrameRef>(&envelope)) {
      *message = std::move(*frame);
      return true;
    }
    const ControlBytes& control = std::get<ControlBytes>(envelope);
    absl::StatusOr<typename Codec::Message> parsed = Codec::Parse(control.type, control.body);
    if (!parsed.ok()) return envelopes_.Reject(parsed.status());
    *message = *std::move(parsed);
    return true;
  }

 private:
  EnvelopeReader envelopes_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_MESSAGE_READER_H_
