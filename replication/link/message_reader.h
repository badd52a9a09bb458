// MessageReader cuts the bytes of a link into messages: data frames and control messages.
//
//   std::string_view input = ...;                        // What one read brought.
//   LinkMessage message;
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

#ifndef TIDEMARK_REPLICATION_LINK_MESSAGE_READER_H_
#define TIDEMARK_REPLICATION_LINK_MESSAGE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame_decoder.h"
#include "replication/link/control_message.h"

namespace tidemark::replication {

using LinkMessage = std::variant<ControlMessage, FrameRef>;

class MessageReader {
 public:
  struct Options {
    bool frames_allowed = true;  // A primary reads control messages only.
    size_t max_frame_bytes = kMaxFrameBytes;
  };
  explicit MessageReader(const Options& options);

  // Takes bytes from the front of *input until they complete a message: true, and *message is it.
  // False once *input is used up. Errors name the byte of the stream; every later call repeats
  // them.
  //   InvalidArgument  what this reader does not know or does not allow
  //   DataLoss         damage
  absl::StatusOr<bool> Next(std::string_view* input, LinkMessage* message);

 private:
  enum class Inside { kMagic, kControl, kFrame };

  absl::StatusOr<bool> NextControl(std::string_view* input, LinkMessage* message);
  absl::StatusOr<bool> NextFrame(std::string_view* input, LinkMessage* message);
  absl::Status Fail(const absl::Status& problem);

  const Options options_;
  Inside inside_ = Inside::kMagic;
  std::string pending_;   // Of a message of which less than its magic, or a part of a control
                          // message, is here.
  ControlHeader header_;  // Good once pending_ has a control message's header.
  FrameDecoder frames_;
  uint64_t frames_at_ = 0;   // Of frames_.consumed_bytes(), what message_at_ includes.
  uint64_t message_at_ = 0;  // Where in the stream the message under way begins.
  absl::Status failure_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_MESSAGE_READER_H_
