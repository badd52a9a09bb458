// RespText writes replies down in a line that shows every type, so that tests can compare them and
// people can read them:
//
//   +OK    -ERR no    :1    "bulk"    $nil    [a, b]    *nil
//   RESP3: _    ,1.5    #t    (123    =txt:"verbatim"    {k: v}    ~[a]    >[a]    !"-ERR bulk"
//
// A core: bytes in, text out.

#ifndef TIDEMARK_INTEGRATION_HARNESS_RESP_TEXT_H_
#define TIDEMARK_INTEGRATION_HARNESS_RESP_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::integration {

// Takes the first reply off `input`. Nothing, and `input` as it was, while the reply is not all
// there. Bytes that are no reply are written down as "(not RESP: ...)", all of them.
std::optional<std::string> TakeReply(std::string_view& input);

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_RESP_TEXT_H_
