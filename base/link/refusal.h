// MakeRefusal fills in a protocol's Refuse message: why a peer may not go on, and when it is worth
// its while to come again. The protocols have a message each, with the same fields in it.
//
// Threading: any thread.

#ifndef TIDEMARK_BASE_LINK_REFUSAL_H_
#define TIDEMARK_BASE_LINK_REFUSAL_H_

#include <cstdint>
#include <string>
#include <utility>

namespace tidemark {

template <typename Refuse>
Refuse MakeRefusal(typename Refuse::Code code, std::string text, int64_t retry_after_ms) {
  Refuse refusal;
  refusal.set_code(code);
  refusal.set_text(std::move(text));
  refusal.set_retry_after_ms(static_cast<uint32_t>(retry_after_ms));
  return refusal;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_REFUSAL_H_
